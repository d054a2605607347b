"""Churn and saves added up every night, and what the two pages of it read."""
