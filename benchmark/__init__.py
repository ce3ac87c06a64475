"""vpbench: measure video-prediction models under one ruler."""
