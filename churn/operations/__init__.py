"""Keeping it running: log, faults, health, figures, housekeeping, backup, known holes."""
