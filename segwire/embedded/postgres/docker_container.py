"""One container by testcontainers. Imported only where that is installed."""

from docker.errors import DockerException  # type: ignore[import-untyped]
from testcontainers.core.container import DockerContainer

from segwire.embedded.kafka.ports import HOST
from segwire.embedded.postgres.errors import EmbeddedPostgresError


class DockerPostgres:
    """A container as Docker runs it, as `Container` says."""

    def __init__(self, image: str, inner_port: int, port: int, environment: dict[str, str]) -> None:
        """Describe it; Docker is not asked yet."""
        self._image = image
        self._inner_port = inner_port
        self._port = port
        self._environment = environment
        self._container: DockerContainer | None = None

    def start(self) -> None:
        """Start it.

        Raises:
            EmbeddedPostgresError: Docker is not there, or does not start it.
        """
        try:
            self._container = DockerContainer(self._image)
            # Docker takes an address with the port, though the types of testcontainers do not know it.
            self._container.ports[str(self._inner_port)] = (HOST, self._port)  # type: ignore[assignment]
            for name, value in self._environment.items():
                self._container.with_env(name, value)
            self._container.start()
        except DockerException as error:
            raise EmbeddedPostgresError(
                f"The container {self._image} does not start: {error}. Start Docker (or name it: "
                "DOCKER_HOST=unix://PATH), or say --with postgres for the embedded one"
            ) from error

    def exit_code(self) -> int | None:
        """Return None while it runs."""
        if self._container is None:
            return None
        wrapped = self._container.get_wrapped_container()
        wrapped.reload()
        return None if wrapped.status == "running" else int(wrapped.attrs["State"]["ExitCode"])

    def stop(self) -> None:
        """Stop and remove it; harmless when not started."""
        if self._container is not None and self._container.get_wrapped_container() is not None:
            self._container.stop()
        self._container = None
