"""Keepline's front door: the menu, and the page asked for."""

from churn import ui

ui.menu()
