"""Frames and motion out of files."""
