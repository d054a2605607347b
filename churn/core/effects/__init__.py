"""What a concession changes: demand, effect, price of a budget."""
