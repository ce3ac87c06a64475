"""Splits: which clips are scored. Lists are data files in this folder; ``get_split`` finds them."""

from vpbench.splits.reader import BUILT_IN, Split, SplitClip, class_of, get_split
from vpbench.splits.sources import Sources, find_sources

__all__ = ["BUILT_IN", "Sources", "Split", "SplitClip", "class_of", "find_sources", "get_split"]
