"""Input nobody should trust, each by name, with what the product does. docs/security-inputs.md lists all of it."""
