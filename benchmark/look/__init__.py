"""Looking at runs: the page that ``vpbench report`` writes and the figures of ``vpbench figure``."""
