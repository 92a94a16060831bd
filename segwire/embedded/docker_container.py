"""One container by testcontainers. Imported only where that is installed."""

from docker.errors import DockerException  # type: ignore[import-untyped]
from testcontainers.core import container as testcontainers

from segwire.embedded.container import Image
from segwire.embedded.kafka.ports import HOST

_LAST_LINES = 20


class DockerContainer:
    """A container as Docker runs it, as `Container` says; it listens on the loopback interface alone."""

    def __init__(self, image: Image, port: int, environment: dict[str, str]) -> None:
        """Describe it; Docker is not asked yet."""
        self._image = image
        self._port = port
        self._environment = environment
        self._container: testcontainers.DockerContainer | None = None
        self._runs = False

    def start(self) -> None:
        """Start it.

        Raises:
            EmbeddedServerError: Docker is not there, or does not start it; of the image's class.
        """
        image = self._image
        try:
            self._container = testcontainers.DockerContainer(image.name)
            # Docker takes an address with the port, though the types of testcontainers do not know it.
            self._container.ports[str(image.inner_port)] = (HOST, self._port)  # type: ignore[assignment]
            for name, value in self._environment.items():
                self._container.with_env(name, value)
            self._container.start()
        except DockerException as error:
            raise image.error(
                f"The container {image.name} does not start: {error}. Start Docker (or name it: "
                f"DOCKER_HOST=unix://PATH), or {image.instead}"
            ) from error
        self._runs = True

    def exit_code(self) -> int | None:
        """Return None while it runs, and before it does.

        Raises:
            EmbeddedServerError: Docker does not tell; of the image's class.
        """
        if self._container is None or not self._runs:
            return None
        wrapped = self._container.get_wrapped_container()
        try:
            wrapped.reload()
        except DockerException as error:
            raise self._image.error(
                f"Docker does not tell how the container {self._image.name} is: {error}. See whether both still run: "
                f"docker ps; or {self._image.instead}"
            ) from error
        return None if wrapped.status == "running" else int(wrapped.attrs["State"]["ExitCode"])

    def last_lines(self) -> str:
        """Return the end of what it printed; nothing where Docker does not tell."""
        if self._container is None or not self._runs:
            return ""
        try:
            output, errors = self._container.get_logs()
        except DockerException:
            return ""
        printed = (output + errors).decode("utf-8", "replace").strip()
        return "\n".join(printed.splitlines()[-_LAST_LINES:])

    def stop(self) -> None:
        """Stop and remove it; harmless when not started."""
        if self._container is not None:
            self._container.stop()
        self._container = None
        self._runs = False
