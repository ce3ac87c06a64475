"""The model families of the paper: networks, losses, training and the predictors made of them."""
