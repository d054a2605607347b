"""The screens' own code: with the pages, the only place that imports Streamlit."""

from churn.ui.desk import show_caller
from churn.ui.finder import ask_for_caller
from churn.ui.gate import Session, gate, menu

__all__ = ["Session", "ask_for_caller", "gate", "menu", "show_caller"]
