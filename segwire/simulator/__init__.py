"""A sender with a memory: traffic, an independent model of what must be true, and the comparison."""
