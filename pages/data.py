"""Is today's input sound: freshness, empty values, doubles, impossible rows, files, what was held back."""

from churn import ui

session = ui.gate("data")
ui.show_data(session)
