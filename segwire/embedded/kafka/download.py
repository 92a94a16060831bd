"""Fetches pinned artifacts from Maven repositories by jgo. Nothing is resolved: the pins say what to fetch.

The repositories are Maven Central and those of jgo's own settings (`~/.config/jgo.conf`, section `repositories`, where
`central = URL` puts a mirror in its place); what the user's local Maven repository holds is copied instead of fetched.
Proxies come from the usual variables.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from segwire.embedded.kafka.errors import INSTALL_LOCAL, EmbeddedKafkaError
from segwire.embedded.kafka.pins import Pin

TIMEOUT_S = 30
PAUSES_S = (0.0, 0.5, 2.0)


class FetchError(Exception):
    """An artifact could not be fetched from any repository."""


class Fetch(Protocol):
    """Fetches one artifact. Safe to call from several threads."""

    def __call__(self, pin: Pin, scratch: Path, received: Callable[[int], None], *, fresh: bool) -> Path:
        """Return a file that should be the artifact, unchecked.

        Args:
            pin: what to fetch.
            scratch: a directory of this fetch's own, empty.
            received: hears of bytes as they arrive.
            fresh: from a repository on the network, whatever a local one holds.

        Raises:
            FetchError: no repository gave it.
        """


def fetch_by_jgo(pin: Pin, scratch: Path, received: Callable[[int], None], *, fresh: bool) -> Path:
    """Fetch one artifact as `Fetch` says, with a few tries."""
    try:
        from jgo.config import GlobalSettings
        from jgo.constants import MAVEN_CENTRAL_URL
        from jgo.maven import MavenContext, PythonResolver
    except ImportError:
        raise EmbeddedKafkaError(INSTALL_LOCAL.format(package="jgo")) from None

    @contextmanager
    def count(_name: str, _total_bytes: int) -> Iterator[Callable[[int], None]]:
        yield received

    settings = GlobalSettings.load()
    repositories = {"central": MAVEN_CENTRAL_URL, **settings.repositories}
    local = [] if fresh else [Path(settings.repo_cache)]
    for number, pause_s in enumerate(PAUSES_S):
        time.sleep(pause_s)
        context = MavenContext(
            resolver=PythonResolver(progress_callback=count),
            repo_cache=scratch / str(number),
            local_repos=local,
            remote_repos=repositories,
            timeout=TIMEOUT_S,
        )
        component = context.project(pin.group, pin.artifact).at_version(pin.version)
        artifact = component.artifact(classifier=pin.classifier, packaging=pin.packaging)
        try:
            return artifact.resolve()
        except (OSError, RuntimeError) as error:  # what requests raises is an OSError; jgo's own is a RuntimeError
            reason = error
    raise FetchError(_shortly(reason, repositories)) from reason


def _shortly(error: Exception, repositories: dict[str, str]) -> str:
    if isinstance(error, RuntimeError):
        return f"not found in the repositories {', '.join(repositories)}"
    return type(error).__name__
