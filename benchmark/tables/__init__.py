"""Tables: how numbers become cells and captions, and a leaderboard, a comparison or a study a printed table."""
