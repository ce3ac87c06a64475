"""What models learn from: videos, patches, and what guides the motion network."""
