import asyncio
from typing import Any, cast

from ingest.answers import WholeAnswers

HEAD = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n"


class FakeTransport:
    """Keeps each write; what else a connection asks of it is there."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.closed = False

    def write(self, data: bytes) -> None:
        assert not self.closed
        self.written.append(data)

    def close(self) -> None:
        self.closed = True

    def get_extra_info(self, name: str) -> Any:
        return name

    def is_closing(self) -> bool:
        return self.closed

    pause_reading = resume_reading = write_eof = can_write_eof = close


def answers() -> tuple[FakeTransport, WholeAnswers]:
    transport = FakeTransport()
    return transport, WholeAnswers(cast("asyncio.Transport", transport))


def test_a_head_is_written_together_with_its_body() -> None:
    transport, whole = answers()
    for _ in range(2):
        whole.write(HEAD)
        whole.write(b"{}")
        whole.flush()
    assert transport.written == [HEAD + b"{}"] * 2


def test_later_parts_of_a_body_are_not_held() -> None:
    transport, whole = answers()
    for part in (HEAD, b"1", b"2"):
        whole.write(part)
    assert transport.written == [HEAD + b"1", b"2"]


def test_a_head_without_a_body_is_written_when_the_answer_ends_or_the_connection_closes() -> None:
    transport, whole = answers()
    whole.write(HEAD)
    assert transport.written == []
    whole.flush()
    whole.write(HEAD)
    whole.close()
    assert transport.written == [HEAD, HEAD]
    assert transport.closed


def test_the_word_to_go_on_sending_is_not_held() -> None:
    transport, whole = answers()
    whole.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    assert transport.written == [b"HTTP/1.1 100 Continue\r\n\r\n"]
