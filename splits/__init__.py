"""Splits: which clips are scored; ``get_split`` finds their lists, which are files here or follow from a layout."""

from vpbench.splits.datasets import DATA_SETS
from vpbench.splits.reader import BUILT_IN, get_split
from vpbench.splits.sources import Sources, find_sources
from vpbench.splits.split import Split, SplitClip, class_of

__all__ = [
    "BUILT_IN",
    "DATA_SETS",
    "Sources",
    "Split",
    "SplitClip",
    "class_of",
    "find_sources",
    "get_split",
]
