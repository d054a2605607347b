"""Keepline: a retention and escalation desk on Postgres."""
