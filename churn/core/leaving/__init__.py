"""Who leaves, and what they are worth."""
