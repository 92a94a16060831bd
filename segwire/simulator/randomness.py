"""Random numbers that a seed repeats."""

from random import Random


def seeded(seed: int, purpose: str) -> Random:
    """Return a generator for one purpose, independent of those for others; the same in every process."""
    return Random(f"{seed}:{purpose}")  # noqa: S311 - sample data, no secret
