from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from ingest.limits import Limits
from tests.support import conversation as support
from tests.support.conversation import Application, Conversation, last_problem, statuses

HEAD = b"POST /v1/aam/dev HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
GOOD = HEAD + b"Content-Length: 5\r\n\r\nhello"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"

Talk = Callable[[Conversation, Application], Coroutine[Any, Any, None]]
Converse = Callable[..., None]


@pytest.fixture(params=["asgi", "direct"])
def converse(request: pytest.FixtureRequest) -> Converse:
    """Both ways of answering, of which nobody outside may tell which it was."""

    def run(talk: Talk, limits: Limits | None = None) -> None:
        support.converse(talk, limits, direct=request.param == "direct")

    return run


NO_REQUESTS = {
    "no HTTP": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    "another protocol": b"SSH-2.0-OpenSSH_9.6\r\n",
    "the preface of HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "no version": b"GET /\r\n\r\n",
    "a version that is none": b"GET / HTTP/9.9\r\nHost: x\r\n\r\n",
    "an unknown method": b"PUBLISH / HTTP/1.1\r\nHost: x\r\n\r\n",
    "a space in the target": b"GET /a b HTTP/1.1\r\nHost: x\r\n\r\n",
    "bytes above ASCII in the target": b"GET /\xff\xfe HTTP/1.1\r\nHost: x\r\n\r\n",
    "a proxy's request": b"CONNECT x:443 HTTP/1.1\r\nHost: x:443\r\n\r\n",
    "no Host": b"POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n",
    "two Hosts": b"POST / HTTP/1.1\r\nHost: x\r\nHost: y\r\nContent-Length: 0\r\n\r\n",
    "a space before the colon": HEAD + b"Content-Length : 5\r\n\r\nhello",
    "a header without a colon": HEAD + b"nonsense\r\n\r\n",
    "a folded header": HEAD + b"X-A: 1\r\n Content-Length: 5\r\n\r\nhello",
    "a null byte in a header": HEAD + b"X-A: a\x00b\r\n\r\n",
    "a lone carriage return in a header": HEAD + b"X-A: a\rContent-Length: 5\r\n\r\nhello",
}

SMUGGLED = {
    "both framings": HEAD + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "both, the other order": HEAD + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
    "two lengths": HEAD + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
    "the same length twice": HEAD + b"Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
    "a list of lengths": HEAD + b"Content-Length: 5, 5\r\n\r\nhello",
    "a signed length": HEAD + b"Content-Length: +5\r\n\r\nhello",
    "a negative length": HEAD + b"Content-Length: -5\r\n\r\nhello",
    "a hexadecimal length": HEAD + b"Content-Length: 0x5\r\n\r\nhello",
    "an empty length": HEAD + b"Content-Length:\r\n\r\nhello",
    "a length beyond 64 bits": HEAD + b"Content-Length: 18446744073709551621\r\n\r\nhello",
    "another coding": HEAD + b"Transfer-Encoding: gzip\r\n\r\n",
    "another coding behind chunked": HEAD + b"Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
    "another coding before chunked": HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "nearly chunked": HEAD + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "chunked in quotes": HEAD + b'Transfer-Encoding: "chunked"\r\n\r\n0\r\n\r\n',
    "chunked by a tab": HEAD + b"Transfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n",
    "chunked twice": HEAD + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunked and identity": HEAD + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
    "chunked before HTTP/1.1": HEAD.replace(b"1.1", b"1.0") + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a chunk's size that is none": CHUNKED + b"5x\r\nhello\r\n0\r\n\r\n",
    "a signed chunk's size": CHUNKED + b"+5\r\nhello\r\n0\r\n\r\n",
    "a chunk's size beyond 64 bits": CHUNKED + b"10000000000000005\r\nhello\r\n0\r\n\r\n",
    "a chunk that is longer than said": CHUNKED + b"4\r\nhello\r\n0\r\n\r\n",
    "a chunk's line that ends in a line feed": CHUNKED + b"5\nhello\r\n0\r\n\r\n",
}


@pytest.mark.parametrize("sent", NO_REQUESTS.values(), ids=NO_REQUESTS.keys())
@pytest.mark.parametrize("piece_bytes", [1000, 1])
def test_what_is_no_request_is_refused_once_and_the_connection_ends(
    sent: bytes, piece_bytes: int, converse: Converse
) -> None:
    check_refused(sent, piece_bytes, converse)


@pytest.mark.parametrize("sent", SMUGGLED.values(), ids=SMUGGLED.keys())
@pytest.mark.parametrize("piece_bytes", [1000, 1])
def test_a_body_whose_end_is_in_doubt_is_refused_with_all_that_follows(
    sent: bytes, piece_bytes: int, converse: Converse
) -> None:
    check_refused(sent, piece_bytes, converse)


def check_refused(sent: bytes, piece_bytes: int, converse: Converse) -> None:
    async def talk(conversation: Conversation, app: Application) -> None:
        answers = await conversation.say(*pieces_of(sent + GOOD, piece_bytes))
        assert statuses(answers) == [400]
        assert last_problem(answers)["type"] == "/problems/bad-request"
        assert conversation.transport.half_closed
        assert app.seen == []

    converse(talk)


def pieces_of(sent: bytes, piece_bytes: int) -> list[bytes]:
    return [sent[at : at + piece_bytes] for at in range(0, len(sent), piece_bytes)]


@pytest.mark.parametrize(
    ("sent", "body"),
    [
        (GOOD, b"hello"),
        (b"\r\n" + GOOD, b"hello"),
        (GOOD.replace(b"/v1", b"http://x/v1", 1), b"hello"),
        (CHUNKED + b"2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\n\r\n", b"hello"),
        (HEAD + b"Transfer-Encoding: Chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", b"hello"),
        (b"POST /v1/aam/dev HTTP/1.0\r\nContent-Length: 5\r\n\r\nhello", b"hello"),
        (HEAD + b"Content-Length: 0\r\n\r\n", b""),
    ],
)
@pytest.mark.parametrize("piece_bytes", [1000, 1])
def test_what_the_standard_allows_is_read(sent: bytes, body: bytes, piece_bytes: int, converse: Converse) -> None:
    async def talk(conversation: Conversation, app: Application) -> None:
        assert statuses(await conversation.say(*pieces_of(sent, piece_bytes))) == [200]
        [(scope, seen)] = app.seen
        assert (seen, scope["path"]) == (body, "/v1/aam/dev")

    converse(talk)


def test_a_header_behind_the_body_is_none_of_the_request(converse: Converse) -> None:
    async def talk(conversation: Conversation, app: Application) -> None:
        await conversation.say(CHUNKED + b"5\r\nhello\r\n0\r\nContent-Encoding: gzip\r\nX-Signature: s\r\n\r\n")
        [(scope, body)] = app.seen
        assert body == b"hello"
        assert [name for name, _ in scope["headers"]] == [b"host", b"content-type", b"transfer-encoding"]

    converse(talk)


@pytest.mark.parametrize(
    "sent",
    [
        b"GET /" + b"a" * 3000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        HEAD + b"X-Long: " + b"a" * 3000 + b"\r\n\r\n",
        HEAD + b"X-Many: a\r\n" * 300 + b"\r\n",
        HEAD + b"X-Endless: " + b"a" * 5000,
        b"GET /" + b"a" * 5000,
        CHUNKED + b"1\r\na\r\n0\r\n" + b"X-Behind: a\r\n" * 300,
    ],
)
@pytest.mark.parametrize("piece_bytes", [100_000, 500, 1])
def test_a_head_above_its_limit_is_refused_before_it_fills_the_memory(
    sent: bytes, piece_bytes: int, converse: Converse
) -> None:
    async def talk(conversation: Conversation, app: Application) -> None:
        answers = await conversation.say(*pieces_of(sent, piece_bytes))
        if piece_bytes > len(sent) and not answers:
            answers = await conversation.say(b"a" * 3000)
        assert statuses(answers) == [431]
        assert "2048 bytes" in last_problem(answers)["detail"]
        assert app.seen == []

    converse(talk, Limits(max_head_bytes=2048))


def test_heads_of_pipelined_requests_are_not_added_up(converse: Converse) -> None:
    async def talk(conversation: Conversation, app: Application) -> None:
        stream = GOOD * 200
        assert statuses(await conversation.say(*pieces_of(stream, 1000))) == [200] * 200

    converse(talk, Limits(max_head_bytes=1024))


def test_garbage_behind_a_request_is_refused_behind_its_answer(converse: Converse) -> None:
    async def talk(conversation: Conversation, app: Application) -> None:
        app.released.clear()
        assert await conversation.say(GOOD + GOOD + b"garbage\r\n\r\n", GOOD) == b""
        app.released.set()
        answers = await conversation.heard()
        assert statuses(answers) == [200, 200, 400]
        assert last_problem(answers)["type"] == "/problems/bad-request"
        assert conversation.transport.closed
        assert len(app.seen) == 2

    converse(talk)


def test_a_body_that_turns_into_garbage_behind_another_request_is_refused_in_its_turn(converse: Converse) -> None:
    async def talk(conversation: Conversation, app: Application) -> None:
        app.released.clear()
        await conversation.say(GOOD + CHUNKED + b"5\r\nhel", b"lo\r\nnonsense\r\n")
        app.released.set()
        assert statuses(await conversation.heard()) == [200, 400]
        assert len(app.seen) == 1

    converse(talk)


def test_who_floods_is_not_read_on_until_answers_are_out(converse: Converse) -> None:
    async def talk(conversation: Conversation, app: Application) -> None:
        app.released.clear()
        await conversation.say(GOOD * 3)
        assert conversation.transport.reads_paused
        app.released.set()
        assert statuses(await conversation.heard()) == [200] * 3
        assert not conversation.transport.reads_paused

    converse(talk)


def test_there_is_an_end_to_requests_sent_ahead(converse: Converse) -> None:
    async def talk(conversation: Conversation, app: Application) -> None:
        app.released.clear()
        await conversation.say(GOOD * 1500)
        assert len(conversation.protocol.pipeline) <= 1001
        app.released.set()
        assert statuses(await conversation.heard()) == [200] * 1001 + [400]

    converse(talk)


def test_a_new_connection_that_says_nothing_is_closed_without_a_word(converse: Converse) -> None:
    async def talk(conversation: Conversation, app: Application) -> None:
        assert await conversation.wait_s(9.9) == b""
        assert not conversation.transport.closed
        assert await conversation.wait_s(0.2) == b""
        assert conversation.transport.closed

    converse(talk)


@pytest.mark.parametrize("sent", [b"P", HEAD, HEAD + b"Content-Length: 5\r\n\r\n", GOOD[:-1], CHUNKED + b"5\r\nhe"])
def test_a_request_that_does_not_come_is_told_so(sent: bytes, converse: Converse) -> None:
    async def talk(conversation: Conversation, app: Application) -> None:
        await conversation.say(sent)
        assert await conversation.wait_s(9.9) == b""
        answers = await conversation.wait_s(0.2)
        assert statuses(answers) == [408]
        assert last_problem(answers)["type"] == "/problems/request-timeout"
        assert conversation.transport.half_closed
        assert app.seen == []
        await conversation.say(GOOD)
        await conversation.wait_s(2.1)
        assert conversation.transport.closed
        assert app.seen == []

    converse(talk)


def test_a_drip_does_not_win_time(converse: Converse) -> None:
    async def talk(conversation: Conversation, app: Application) -> None:
        for byte in pieces_of(GOOD[:-1] + b"", 1):
            await conversation.say(byte)
            await conversation.wait_s(0.2)
        assert statuses(conversation.transport.written) == [408]

    converse(talk)


def test_an_idle_connection_is_closed_without_a_word_and_one_in_use_is_not(converse: Converse) -> None:
    async def talk(conversation: Conversation, app: Application) -> None:
        for _ in range(3):
            await conversation.say(GOOD)
            await conversation.wait_s(74)
        assert not conversation.transport.closed
        assert statuses(await conversation.wait_s(2)) == [200] * 3
        assert conversation.transport.closed

    converse(talk)


def test_an_answer_of_ours_that_takes_long_is_not_counted_against_the_sender(converse: Converse) -> None:
    async def talk(conversation: Conversation, app: Application) -> None:
        app.released.clear()
        await conversation.say(GOOD + GOOD + GOOD[:-1])
        await conversation.wait_s(200)
        assert not conversation.transport.closed
        app.released.set()
        await conversation.heard()
        await conversation.wait_s(9)
        await conversation.say(GOOD[-1:])
        assert statuses(await conversation.heard()) == [200] * 3

    converse(talk)


def test_a_body_that_comes_late_behind_another_request_is_told_so_in_its_turn(converse: Converse) -> None:
    async def talk(conversation: Conversation, app: Application) -> None:
        await conversation.say(GOOD + GOOD[:-1])
        assert statuses(await conversation.wait_s(11)) == [200, 408]

    converse(talk)


def test_who_does_not_read_answers_is_ended(converse: Converse) -> None:
    async def talk(conversation: Conversation, app: Application) -> None:
        await conversation.say(GOOD)
        conversation.connection.pause_writing()
        await conversation.wait_s(5)
        conversation.connection.resume_writing()
        await conversation.wait_s(6)
        assert not conversation.transport.aborted
        conversation.connection.pause_writing()
        await conversation.wait_s(11)
        assert conversation.transport.aborted

    converse(talk)


def test_a_sender_that_closes_its_side_gets_its_answer(converse: Converse) -> None:
    async def talk(conversation: Conversation, app: Application) -> None:
        app.released.clear()
        await conversation.say(GOOD)
        assert conversation.connection.eof_received()
        app.released.set()
        answers = await conversation.heard()
        assert statuses(answers) == [200]
        assert b"connection: close" in answers
        assert conversation.transport.closed

    converse(talk)


@pytest.mark.parametrize("sent", [b"", HEAD, GOOD[:-1], GOOD])
def test_a_sender_that_closes_its_side_without_an_open_request_is_let_go(sent: bytes, converse: Converse) -> None:
    async def talk(conversation: Conversation, app: Application) -> None:
        if sent:
            await conversation.say(sent)
        assert not conversation.connection.eof_received()

    converse(talk)


@pytest.mark.parametrize("said", [1, 30, len(GOOD) - 1])
def test_a_request_that_has_begun_is_finished_when_the_server_ends(said: int, converse: Converse) -> None:
    async def talk(conversation: Conversation, app: Application) -> None:
        await conversation.say(GOOD[:said])
        conversation.protocol.shutdown()
        assert not conversation.transport.closed
        answers = await conversation.say(GOOD[said:])
        assert statuses(answers) == [200]
        assert b"connection: close" in answers
        assert conversation.transport.closed

    converse(talk)


def test_an_idle_connection_ends_with_the_server(converse: Converse) -> None:
    async def talk(conversation: Conversation, app: Application) -> None:
        await conversation.say(GOOD)
        conversation.protocol.shutdown()
        assert conversation.transport.closed

    converse(talk)


def test_a_sender_of_http_1_0_is_not_told_to_go_on(converse: Converse) -> None:
    async def talk(conversation: Conversation, app: Application) -> None:
        old = GOOD.replace(b"1.1", b"1.0").replace(b"Host: x", b"Expect: 100-continue")
        assert statuses(await conversation.say(old[:-5], old[-5:])) == [200]

    converse(talk)
