"""A company's own tables: choose a mapping, see what is lacking, look at it, put it in force, take it back."""

from churn import ui

session = ui.gate("sources")
ui.show_sources(session)
