"""Asks above an agent's authority, decided while the caller waits."""

from churn import ui

session = ui.gate("approvals")
ui.show_queue(session)
ui.show_escalations(session)
