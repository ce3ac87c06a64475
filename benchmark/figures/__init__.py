"""Figures and animations of predictions."""
