"""What is kept of an evaluation on disk."""
