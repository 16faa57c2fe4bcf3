"""From cells to curves, goals and policies."""
