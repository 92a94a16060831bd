"""One container by testcontainers, with Docker left out."""

from types import SimpleNamespace

import pytest
from docker.errors import DockerException, ImageNotFound  # type: ignore[import-untyped]
from testcontainers.core import container as library
from testcontainers.core.config import testcontainers_config

from segwire.embedded.docker_container import DockerContainer
from segwire.embedded.kafka.container import IMAGE
from segwire.embedded.kafka.errors import EmbeddedKafkaError


class FakeDocker:
    """In the place of the library's client, and of what it creates; fails where it is told to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.created: dict[str, object] = {}
        self.said: list[str] = []
        self.failing: dict[str, Exception] = {}
        self.status = "running"
        self.attrs = {"State": {"ExitCode": 137}}
        self.short_id = "c0ffee"
        self.client = SimpleNamespace(close=lambda: None)
        monkeypatch.setattr(library, "DockerClient", self._open)
        # Else the library would start a container of its own beside ours.
        monkeypatch.setattr(testcontainers_config, "ryuk_disabled", True)

    def create(self, image: str, **options: object) -> "FakeDocker":
        self._do("create")
        self.created = {"image": image, **options}
        return self

    def start(self, created: "FakeDocker") -> None:
        assert created is self
        self._do("start")

    def reload(self) -> None:
        self._do("reload")

    def logs(self, *, stdout: bool = True, stderr: bool = True) -> bytes:
        self._do("logs")
        return b"\n".join([b"to output"] * 30 * stdout + [b"to error: caf\xe9"] * stderr) + b"\n"

    def remove(self, **_: bool) -> None:
        self._do("remove")

    def _open(self) -> "FakeDocker":
        self._do("open")
        return self

    def _do(self, what: str) -> None:
        if what in self.failing:
            raise self.failing[what]
        self.said.append(what)


@pytest.fixture
def docker(monkeypatch: pytest.MonkeyPatch) -> FakeDocker:
    return FakeDocker(monkeypatch)


@pytest.fixture
def container() -> DockerContainer:
    return DockerContainer(IMAGE, 19092, {"KAFKA_NODE_ID": "1"})


def test_it_listens_on_loopback_alone_and_is_removed_in_the_end(docker: FakeDocker, container: DockerContainer) -> None:
    container.start()
    assert docker.created["image"] == IMAGE.name
    assert docker.created["ports"] == {"9092": ("127.0.0.1", 19092)}
    assert docker.created["environment"] == {"KAFKA_NODE_ID": "1"}
    container.stop()
    container.stop()
    assert docker.said == ["open", "create", "start", "remove"]


def test_its_exit_code_is_known_once_it_does_not_run(docker: FakeDocker, container: DockerContainer) -> None:
    assert container.exit_code() is None
    container.start()
    assert container.exit_code() is None
    docker.status = "exited"
    assert container.exit_code() == 137
    container.stop()
    assert container.exit_code() is None


@pytest.mark.parametrize("what", ["open", "create", "start"])
def test_docker_that_does_not_start_it_is_named_with_the_remedy(
    docker: FakeDocker, container: DockerContainer, what: str
) -> None:
    docker.failing[what] = DockerException("no Docker for us")
    with pytest.raises(
        EmbeddedKafkaError,
        match=r"apache/kafka:.* not start: no Docker .*Start Docker .*DOCKER_HOST.*, or leave --kafka",
    ):
        container.start()


def test_what_was_created_and_not_started_is_removed(docker: FakeDocker, container: DockerContainer) -> None:
    docker.failing["start"] = DockerException("port is already allocated")
    with pytest.raises(EmbeddedKafkaError, match="port is already allocated"):
        container.start()
    assert container.exit_code() is None
    container.stop()
    assert docker.said == ["open", "create", "remove"]


def test_an_image_that_is_not_there_leaves_nothing_to_remove(docker: FakeDocker, container: DockerContainer) -> None:
    docker.failing["create"] = ImageNotFound("no such image")
    with pytest.raises(EmbeddedKafkaError, match="no such image"):
        container.start()
    assert container.exit_code() is None
    container.stop()
    assert docker.said == ["open"]


def test_docker_that_tells_nothing_later_is_named(docker: FakeDocker, container: DockerContainer) -> None:
    container.start()
    docker.failing["reload"] = DockerException("gone")
    with pytest.raises(EmbeddedKafkaError, match=r"Docker does not tell how the container apache/kafka:.* is: gone"):
        container.exit_code()


def test_its_last_lines_are_told_while_it_is_there(docker: FakeDocker, container: DockerContainer) -> None:
    assert container.last_lines() == ""
    container.start()
    assert container.last_lines().splitlines() == ["to output"] * 19 + ["to error: caf\N{REPLACEMENT CHARACTER}"]
    docker.failing["logs"] = DockerException("gone")
    assert container.last_lines() == ""
