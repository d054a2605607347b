"""Keepline: a retention and escalation desk on Postgres."""

import os

# Our matrices are small: sharing one out among threads costs more than it saves, on busy cores twenty times as much
# processor time. Has to be said before NumPy is imported; whoever knows better sets it.
os.environ.setdefault("OMP_NUM_THREADS", "1")
