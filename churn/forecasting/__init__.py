"""Contacts to come: counted and forecast every night, and what the page reads."""
