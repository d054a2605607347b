"""Customers kept by each agent against what their callers would have done with anybody."""

from churn import ui

session = ui.gate("team")
ui.show_team(session)
