"""Contacts to come, and the people needed for them."""
