"""How long people stay."""
