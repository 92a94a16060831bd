"""Finds the topic that a person means."""

import difflib

from runtime.errors import ConfigurationError
from schemas.topics import TOPICS, Topic


def find_topic(name: str, prefix: str) -> Topic:
    """Return the manifest's topic called `name`, with or without the configured prefix.

    Raises:
        ConfigurationError: there is none; the message names the nearest.
    """
    short = name.removeprefix(prefix)
    by_name = {topic.name: topic for topic in TOPICS}
    found = by_name.get(name) or by_name.get(short)
    if found is not None:
        return found
    near = difflib.get_close_matches(short, by_name, n=1, cutoff=0.4)
    hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(by_name)}"
    raise ConfigurationError(f"{name!r} is no topic of Segwire; {hint}")
