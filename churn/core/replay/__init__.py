"""Past calls under another policy."""
