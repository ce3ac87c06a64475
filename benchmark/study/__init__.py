"""The same predictions under many protocols."""
