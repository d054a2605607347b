"""What concessions cost and what they saved, to the penny; months, billing, and what is worth a look."""

from churn import ui

session = ui.gate("spend")
ui.show_spend(session)
