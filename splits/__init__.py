"""Splits: which clips are scored."""
