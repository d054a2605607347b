"""The daily focus group: what customers say, what is rising, and what is done about it."""

from churn import ui

session = ui.gate("voice")
ui.show_voice(session)
