"""What models learn from: videos, patches and flows."""
