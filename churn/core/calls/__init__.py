"""The call and what follows it: reasons, what to say, stages of a save, whom to ring."""
