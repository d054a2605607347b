"""Who is worth ringing today, by what a call may gain."""

from churn import ui

session = ui.gate("callbacks")
ui.show_callbacks(session)
