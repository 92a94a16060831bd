"""Which port is chosen; what is free is an argument."""

import pytest

from segwire.embedded.kafka.errors import EmbeddedKafkaError
from segwire.embedded.kafka.ports import FIRST_PORT, choose_port


def test_first_start_takes_the_first_free_port() -> None:
    assert choose_port(None, None, free=lambda port: port > FIRST_PORT + 1) == FIRST_PORT + 2


def test_next_start_takes_the_remembered_port() -> None:
    assert choose_port(None, 20001, free=lambda _: True) == 20001


def test_remembered_port_that_is_busy_is_replaced() -> None:
    assert choose_port(None, 20001, free=lambda port: port != 20001) == FIRST_PORT


def test_port_that_only_seemed_free_is_not_taken_again() -> None:
    assert choose_port(None, FIRST_PORT, {FIRST_PORT}, free=lambda _: True) == FIRST_PORT + 1


def test_named_port_is_taken_whatever_was_remembered() -> None:
    assert choose_port(21000, 20001, free=lambda _: True) == 21000


def test_named_port_that_is_busy_is_an_error_with_the_remedy() -> None:
    with pytest.raises(EmbeddedKafkaError, match=r"Port 21000 on 127\.0\.0\.1.* is in use.*--port PORT"):
        choose_port(21000, None, free=lambda _: False)


def test_no_free_port_at_all_is_an_error_with_the_remedy() -> None:
    with pytest.raises(EmbeddedKafkaError, match=rf"No port from {FIRST_PORT} to \d+ .*--port PORT"):
        choose_port(None, None, free=lambda _: False)
