"""The API for other systems: its own process, off unless started, the same desk by the same functions.

A service has a key, which signs it in as a member of staff of its own; from there on role, row-level security,
authority, limits and audit are those of a person.
"""
