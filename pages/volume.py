"""Tomorrow's calls and who causes them: forecast, staff, the calendar of changes, and what past ones brought."""

from churn import ui

session = ui.gate("volume")
ui.show_volume(session)
