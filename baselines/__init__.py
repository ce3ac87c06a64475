"""Predictors that learn nothing: last frame, constant optical flow."""
