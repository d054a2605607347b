"""The ladder: what may be said yes to, and in which order."""
