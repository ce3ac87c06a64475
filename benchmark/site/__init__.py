"""The leaderboards of runs as static pages: ``vpbench site``."""
