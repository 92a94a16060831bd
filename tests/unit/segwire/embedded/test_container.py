"""What servers in containers have in common: is the library there, and the wait until they answer."""

import sys
from collections.abc import Callable

import pytest

from segwire.embedded.container import READY_LIMIT_S, Image, check_installed, in_docker, wait_until_answering
from segwire.embedded.errors import EmbeddedServerError
from segwire.embedded.kafka.container import IMAGE as KAFKA
from segwire.embedded.kafka.errors import EmbeddedKafkaError
from segwire.embedded.postgres.container import IMAGE as POSTGRES
from segwire.embedded.postgres.errors import EmbeddedPostgresError
from tests.support.containers import PassedTime, RememberedContainer

ADDRESS = "127.0.0.1:19092"


@pytest.mark.parametrize(
    ("image", "error", "said"),
    [
        (KAFKA, EmbeddedKafkaError, r"^Kafka in a container needs .*'segwire\[containers\]', or leave --kafka out"),
        (POSTGRES, EmbeddedPostgresError, r"^PostgreSQL in .*'segwire\[containers\]', or say --with postgres for"),
    ],
)
@pytest.mark.parametrize("check", [check_installed, lambda image: in_docker(image)(1, {})])
def test_a_library_that_is_not_installed_is_named_with_the_remedy(
    check: Callable[[Image], object],
    image: Image,
    error: type[EmbeddedServerError],
    said: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "testcontainers.core.container", None)
    with pytest.raises(error, match=said):
        check(image)


def test_it_is_asked_again_after_a_pause_until_it_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    passed, answers = PassedTime(monkeypatch), iter([False, False, True])
    wait_until_answering(RememberedContainer(1, {}), KAFKA, ADDRESS, lambda: next(answers))
    assert passed.pauses == 2


def test_silence_is_waited_for_with_pauses_and_then_said(monkeypatch: pytest.MonkeyPatch) -> None:
    passed = PassedTime(monkeypatch)
    with pytest.raises(EmbeddedKafkaError, match=rf"apache/kafka:.* does not answer at {ADDRESS} after 180 s"):
        wait_until_answering(RememberedContainer(1, {}), KAFKA, ADDRESS, lambda: False)
    assert passed.monotonic() == pytest.approx(READY_LIMIT_S, abs=1)
    assert passed.pauses < 20 * READY_LIMIT_S


def test_an_end_is_said_with_the_exit_code_and_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    passed, container = PassedTime(monkeypatch), RememberedContainer(1, {})
    container.code = 0
    with pytest.raises(EmbeddedPostgresError, match=r"(?s)postgres:18 ended \(exit code 0\).*printed last.*or say"):
        wait_until_answering(container, POSTGRES, ADDRESS, lambda: False)
    assert passed.pauses == 0
