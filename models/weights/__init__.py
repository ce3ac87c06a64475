"""The weights that ship, their registry, and checkpoints."""
