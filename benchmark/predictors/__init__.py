"""The contract of a predictor, and how one is found."""
