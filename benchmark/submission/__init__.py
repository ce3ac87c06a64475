"""Checked runs under ``results/``, and the page of standings."""
