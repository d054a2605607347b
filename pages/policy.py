"""Who may give what: rules, drafts, cases, replay and budgets."""

from churn import ui

session = ui.gate("policy")
ui.show_policy(session)
