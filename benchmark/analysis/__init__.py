"""Runs in, numbers out: leaderboards, intervals, ranks and comparisons."""
