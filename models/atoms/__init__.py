"""Dynamical atoms: motion that changes, as a sparse sum of damped oscillations."""
