"""Help: the guide of one's own role, a tour, the glossary, and documents made from the database."""

from churn import ui

session = ui.gate("help")
ui.show_help(session)
