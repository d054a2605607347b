"""Whether data and models can be trusted: the night's profiles, and what the two pages read."""
