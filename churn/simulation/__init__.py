"""The simulated company: an invented operator whose truth is known, so that what is believed can be checked."""

from churn.simulation.company import Company, Part, simulate
from churn.simulation.write import NotEmpty, NotSimulated, write_company

__all__ = ["Company", "NotEmpty", "NotSimulated", "Part", "simulate", "write_company"]
