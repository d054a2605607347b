"""The money afterwards: pace, return, run-off, fairness, statements."""
