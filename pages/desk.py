"""The desk: a caller's card by URL, number, account or name."""

from churn import ui

session = ui.gate("desk")
asked = ui.ask_for_caller(session)
if asked is not None:
    ui.show_caller(session, asked)
