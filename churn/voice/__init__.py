"""What customers say: counted and read every night, the problems behind it, what the page reads."""
