"""Real servers from packages, for one machine."""
