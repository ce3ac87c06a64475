"""Commands beside the core ones, one file each, found by the entry-point group ``vpbench.commands``."""
