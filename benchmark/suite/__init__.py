"""Several predictors under several protocols on several splits, from one file."""
