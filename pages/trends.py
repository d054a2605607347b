"""Who leaves, when and why: rates, curves, predictions against what happened, and what policy forbids."""

from churn import ui

session = ui.gate("trends")
ui.show_trends(session)
