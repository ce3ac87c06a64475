"""Published rows and our own runs, as data files."""
