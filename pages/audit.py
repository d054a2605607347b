"""Who did, saw, took along or was refused what; whether what was written down still stands."""

from churn import ui

session = ui.gate("audit")
ui.show_audit(session)
