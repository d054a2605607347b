"""Can the models be trusted: judged, drifted, compared, put into use by a person."""

from churn import ui

session = ui.gate("models")
ui.show_models(session)
