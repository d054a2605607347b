"""Churn over time, and a team against its callers."""
