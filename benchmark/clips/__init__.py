"""Which clips, ready to be scored."""
