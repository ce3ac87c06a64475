"""Tables: how numbers become cells and captions, and leaderboards and comparisons printed tables."""
