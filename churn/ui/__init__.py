"""The screens' own code: with the pages, the only place that imports Streamlit."""

from churn.ui.audit import show_audit
from churn.ui.callbacks import show_callbacks
from churn.ui.data import show_data
from churn.ui.desk import show_caller
from churn.ui.escalations import show_escalations
from churn.ui.finder import ask_for_caller
from churn.ui.gate import Session, gate, menu
from churn.ui.help import show_help
from churn.ui.models import show_models
from churn.ui.policy import show_policy
from churn.ui.queue import show_queue
from churn.ui.sources import show_sources
from churn.ui.spend import show_spend
from churn.ui.team import show_team
from churn.ui.trends import show_trends
from churn.ui.voice import show_voice
from churn.ui.volume import show_volume

__all__ = [
    "Session",
    "ask_for_caller",
    "gate",
    "menu",
    "show_audit",
    "show_callbacks",
    "show_caller",
    "show_data",
    "show_escalations",
    "show_help",
    "show_models",
    "show_policy",
    "show_queue",
    "show_sources",
    "show_spend",
    "show_team",
    "show_trends",
    "show_voice",
    "show_volume",
]
