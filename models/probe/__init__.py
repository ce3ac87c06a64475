"""What a network that predicts has learnt, measured by how well a linear classifier tells actions by its features."""
