"""What a destination is asked to deliver again; the store is a dictionary here, and the sending is noted."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, cast

import msgspec
import pytest

from runtime.processor import Backpressure, InputRecord, OutputRecord
from runtime.state.store import data_key
from runtime.state.table import Census, StateTable
from schemas.headers import Headers
from schemas.redriven import Redriven, redriven_header
from schemas.requests import (
    BACKFILL,
    PROGRESS,
    REDRIVE,
    Backfill,
    BackfillProgress,
    decode_progress,
    encode_request,
    is_request,
    request_headers,
)
from sinks.outbound.again import Again, Marks, is_for
from sinks.outbound.processor import OUTBOUND_CODEC
from sinks.outbound.state import UserState, encode_state
from tests.support.outbound import NOW_MS, row, user_of
from tests.support.up import ManualClock

PARTITION = 2


class Entries:
    """A store; each look at it takes some of the turn's time."""

    def __init__(self, clock: ManualClock, users: int) -> None:
        self._clock = clock
        self.entries: dict[bytes, bytes | None] = {
            data_key(PARTITION, b"%03d" % number): encode_state(user_of(row("1", 1))) for number in range(users)
        }

    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        return [self.entries.get(key) for key in keys]

    def scan(self, partition: int, after: bytes) -> Iterator[tuple[bytes, bytes | None]]:
        self._clock.advance_ms(200)
        begin = data_key(partition, after + b"\0")
        yield from sorted(item for item in self.entries.items() if begin <= item[0] < data_key(partition + 1, b""))


class Delivers:
    """Notes whom it sends; a partner that takes nothing raises."""

    def __init__(self) -> None:
        self.sent: list[tuple[list[bytes], tuple[str, ...], Marks]] = []
        self.reapplied: list[InputRecord] = []
        self.is_down = False

    def resend(self, keys: Collection[bytes], segments: Collection[str], marks: Marks) -> list[OutputRecord]:
        if self.is_down:
            raise Backpressure(1.0)
        self.sent.append(([key[3:] for key in keys], tuple(segments), marks))
        return [OutputRecord("receipts", PARTITION, key[3:], b"") for key in keys]

    def reapply(self, records: Sequence[InputRecord]) -> list[OutputRecord]:
        self.reapplied += records
        return []

    @property
    def users(self) -> list[bytes]:
        return [user for users, _, _ in self.sent for user in users]


class Requests:
    def __init__(self) -> None:
        self.records: list[InputRecord] = []

    def read(self, positions: Mapping[int, int]) -> list[InputRecord]:
        return [record for record in self.records if record.offset >= positions[record.partition]]

    def add(self, headers: Headers, value: bytes | None, key: bytes | None = None) -> None:
        said: Any = headers
        self.records.append(InputRecord(PARTITION, len(self.records), key, value, said, 0))


class Host:
    def __init__(self, users: int = 450) -> None:
        self.clock = ManualClock()
        self.store = Entries(self.clock, users)
        self.table: StateTable[UserState] = StateTable(cast("Any", self.store), OUTBOUND_CODEC)
        self.table.census[PARTITION] = Census(users + 1)
        self.requests = Requests()
        self.delivers = Delivers()
        self.again = Again("p", "requests", self.table, self.requests, self.delivers, self.clock)

    def turn(self) -> list[OutputRecord]:
        return self.again.turn(NOW_MS, [PARTITION])

    def commit(self) -> None:
        for record in list(self.table.changelog()):
            self.store.entries[data_key(record.partition, record.key)] = record.value
        self.table.drop()

    def ask(self, request_id: str = "b", *segments: str) -> None:
        value = encode_request(Backfill(request_id, 1, list(segments)))
        self.requests.add(request_headers("p", BACKFILL), value)

    def redrive(self, user: bytes, letter: str) -> None:
        headers = [*request_headers("p", REDRIVE), redriven_header([Redriven(letter, 1)])]
        self.requests.add(headers, None, user)


@pytest.fixture
def host() -> Host:
    return Host()


def progress(outputs: list[OutputRecord]) -> list[BackfillProgress]:
    told = [output for output in outputs if output.topic == "requests"]
    headers: list[Any] = [output.headers for output in told]
    assert all(is_request(each, "p", PROGRESS) for each in headers)
    return [decode_progress(output.value or b"") for output in told]


def test_nothing_asked_changes_nothing(host: Host) -> None:
    assert host.turn() == []
    assert not host.table.pending()


def test_backfill_goes_through_every_user_a_little_in_each_turn(host: Host) -> None:
    host.ask("b", "1")
    told = []
    for _ in range(3):
        told += progress(host.turn())
        host.commit()
    assert host.delivers.users == [b"%03d" % number for number in range(450)]
    assert {segments for _, segments, _ in host.delivers.sent} == {("1",)}
    assert [(each.users, each.total, each.done) for each in told] == [(450, 450, False), (450, 450, True)]
    assert host.turn() == []


def test_backfill_that_is_over_within_one_turn_is_told_of(host: Host) -> None:
    host = Host(users=0)
    host.ask()
    assert [(each.request_id, each.users, each.done) for each in progress(host.turn())] == [("b", 0, True)]


def test_what_an_aborted_transaction_had_sent_is_sent_again_and_nothing_is_left_out(host: Host) -> None:
    host.ask()
    host.turn()
    host.table.drop()
    while len(host.delivers.sent) < 20 and (host.turn() or host.table.pending()):
        host.commit()
    assert sorted(set(host.delivers.users)) == [b"%03d" % number for number in range(450)]


def test_partner_who_takes_nothing_is_asked_again_in_a_later_turn(host: Host) -> None:
    host.ask()
    host.redrive(b"007", "0-1")
    host.delivers.is_down = True
    assert host.turn() == []
    assert host.delivers.sent == []
    host.table.drop()
    host.delivers.is_down = False
    host.turn()
    assert host.delivers.sent[0] == ([b"007"], (), {"007": [Redriven("0-1", 1)]})
    assert host.delivers.users[1:3] == [b"000", b"001"]


def test_user_of_several_letters_is_sent_once_with_every_mark(host: Host) -> None:
    for user, letter in ((b"001", "0-1"), (b"002", "0-2"), (b"001", "0-3")):
        host.redrive(user, letter)
    host.turn()
    ((users, segments, marks),) = host.delivers.sent
    assert (users, segments) == ([b"001", b"002"], ())
    assert marks == {"001": [Redriven("0-1", 1), Redriven("0-3", 1)], "002": [Redriven("0-2", 1)]}
    host.commit()
    assert host.turn() == []


def test_later_backfill_takes_the_place_of_one_under_way(host: Host) -> None:
    host.ask("first")
    host.turn()
    host.commit()
    host.ask("second", "2")
    assert [each.request_id for each in progress(host.turn())] == ["second"]
    assert host.delivers.sent[-1][1] == ("2",)


def test_record_that_could_not_be_read_is_read_again(host: Host) -> None:
    host.requests.add(request_headers("p", REDRIVE, ("rows", PARTITION, 7)), b"row", b"key")
    host.turn()
    assert [record.value for record in host.delivers.reapplied] == [b"row"]


def test_request_that_cannot_be_read_is_passed_over(host: Host) -> None:
    host.requests.add(request_headers("p", BACKFILL), b"{}")
    host.ask()
    host.turn()
    assert host.delivers.sent != []


@pytest.mark.parametrize(
    ("headers", "is_wanted"),
    [
        (request_headers("p", REDRIVE), True),
        (request_headers("p", BACKFILL), True),
        (request_headers("p", PROGRESS), False),
        (request_headers("q", REDRIVE), False),
        ([], False),
    ],
)
def test_only_requests_to_this_sink_are_wanted(headers: Any, is_wanted: bool) -> None:
    assert is_for("p")(InputRecord(0, 0, None, None, headers, 0)) is is_wanted


def test_progress_is_readable_by_every_release() -> None:
    value = encode_request(BackfillProgress("b", 1, 2, 3, False, 4))
    assert msgspec.json.decode(value) == {
        "request_id": "b", "partition": 1, "users": 2, "total": 3, "done": False, "at": 4
    }  # fmt: skip
