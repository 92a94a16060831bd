"""The sample message of the five documents that the wire format comes from, word for word."""

from pathlib import Path

SEEDS_FOLDER = Path(__file__).parent.parent / "data" / "seeds"
SEED_LANGUAGES = ("ko", "zh", "es", "fr", "nl")


def seed_body(language: str) -> bytes:
    """Return the sample of the document in one of `SEED_LANGUAGES`."""
    return (SEEDS_FOLDER / f"{language}.json").read_bytes()
