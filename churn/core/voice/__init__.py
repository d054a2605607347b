"""What customers say: rises, topics, problems."""
