"""What servers in containers have in common: what runs there, whether it can, and the wait until it answers."""

import time
from collections.abc import Callable
from typing import NamedTuple, Protocol

from segwire.embedded.errors import EmbeddedServerError

READY_LIMIT_S = 180.0
_POLL_S = 0.1


class Container(Protocol):
    """What we need of a container: it is described already."""

    def start(self) -> None:
        """Fetch its image where that is not there, and start it."""

    def exit_code(self) -> int | None:
        """Return None while it runs."""

    def last_lines(self) -> str:
        """Return the end of its log; it goes with the container."""

    def stop(self) -> None:
        """Stop and remove it; harmless when not started."""


# From the port for clients and the environment.
Describe = Callable[[int, dict[str, str]], Container]


class Image(NamedTuple):
    """What runs in a container, and its errors: of which class they are, and what they say to do instead."""

    name: str
    inner_port: int
    what: str
    instead: str
    error: type[EmbeddedServerError]

    def explain(self, happened: str, container: Container) -> EmbeddedServerError:
        """Return the error that says what happened to a container, and what it said last."""
        return self.error(
            f"The container {self.name} {happened}. Its last lines:\n{container.last_lines()}\n"
            f"Mend what they say, or {self.instead}"
        )


def check_installed(image: Image) -> None:
    """See that containers can be described.

    Raises:
        EmbeddedServerError: testcontainers is not installed; of the image's class.
    """
    try:
        import testcontainers.core.container  # noqa: F401 - whether it is there
    except ImportError:
        raise image.error(
            f"{image.what} in a container needs the package testcontainers, which is not installed. "
            f"Run: pip install 'segwire[containers]', or {image.instead}"
        ) from None


def in_docker(image: Image) -> Describe:
    """Return what describes containers of an image; that raises what `check_installed` does."""

    def describe(port: int, environment: dict[str, str]) -> Container:
        check_installed(image)
        from segwire.embedded.docker_container import DockerContainer

        return DockerContainer(image, port, environment)

    return describe


def wait_until_answering(container: Container, image: Image, address: str, answers: Callable[[], bool]) -> None:
    """Return when what runs in a container that was started answers at its address. Blocks.

    Raises:
        EmbeddedServerError: the container ended, or nothing answers; of the image's class.
    """
    deadline_s = time.monotonic() + READY_LIMIT_S
    while not answers():
        code = container.exit_code()
        if code is not None:
            raise image.explain(f"ended (exit code {code})", container)
        if time.monotonic() > deadline_s:
            raise image.explain(f"does not answer at {address} after {READY_LIMIT_S:.0f} s", container)
        time.sleep(_POLL_S)
