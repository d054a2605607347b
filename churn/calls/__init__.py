"""Around a call: who rings and by which number, what is taken up again, what became of it, whom to ring back."""
