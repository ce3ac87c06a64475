"""The ruler: protocols, masks and metrics."""
