"""Whether a model or data can be trusted."""
