"""Clips × predictor × protocol → run."""
