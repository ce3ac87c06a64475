"""Metrics that are networks themselves: LPIPS, DISTS and FVD."""
