"""The frame around a sink: retries, breaker, dead letters."""

from collections.abc import Collection, Sequence

import pytest
from prometheus_client import REGISTRY

from runtime.processor import Backpressure, InputRecord, OutputRecord
from sinks.breaker import BreakerLimits
from sinks.frame import SinkProcessor
from sinks.sink import InvalidRecord, Outcome, Refusal, Retriable
from tests.support.sinks import ManualClock, ScriptedSink, record

LIMITS = BreakerLimits(failures_max=2, retry_s=1, open_s=10, open_max_s=20)


class Framed:
    def __init__(self) -> None:
        self.sink = ScriptedSink()
        self.clock = ManualClock()
        self.processor = SinkProcessor("w", "t.rows", "t.dead", self.sink, self.clock, LIMITS)

    def fail(self, wait_s: float | None = None) -> None:
        def act(_: Sequence[InputRecord]) -> Sequence[Outcome]:
            raise Retriable("gone away", wait_s)

        self.sink.act = act

    def refuse(self, *values: bytes) -> None:
        def act(records: Sequence[InputRecord]) -> Sequence[Outcome]:
            if any(r.value in values for r in records):
                raise InvalidRecord("bad-value", "must not be")
            return ()

        self.sink.act = act

    def mend(self) -> None:
        self.sink.act = lambda _records: ()

    def wait_s(self) -> float:
        with pytest.raises(Backpressure) as raised:
            self.processor.process([record(1)])
        return raised.value.wait_s


def sample(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


def test_what_a_sink_returns_is_published() -> None:
    framed = Framed()
    receipt = OutputRecord("t.receipts", -1, b"k", b"sent")
    framed.sink.act = lambda _records: [receipt]
    assert framed.processor.process([record(1)]) == [receipt]


def test_a_failure_is_retried_later_and_later_and_then_the_breaker_opens() -> None:
    framed = Framed()
    framed.fail()
    assert framed.wait_s() == 1
    framed.clock.at_s += 1
    assert framed.wait_s() == 10
    assert sample("segwire_sink_breaker_open", sink="w") == 1
    framed.clock.at_s += 4
    assert framed.wait_s() == 6
    assert framed.sink.batches == [1, 1]


def test_one_success_closes_the_breaker() -> None:
    framed = Framed()
    framed.fail()
    for _ in range(3):
        framed.clock.at_s += framed.wait_s()
    framed.mend()
    framed.processor.process([record(1), record(2)])
    assert sample("segwire_sink_breaker_open", sink="w") == 0
    framed.fail()
    assert framed.wait_s() == 1


def test_a_sink_that_asks_to_be_left_alone_is() -> None:
    framed = Framed()
    framed.fail(wait_s=90)
    assert framed.wait_s() == 90


def test_the_one_bad_record_of_a_batch_is_found_and_becomes_a_dead_letter() -> None:
    framed = Framed()
    framed.refuse(b"5", b"11")
    batch = [record(n, b"%d" % n) for n in range(20)]
    outputs = framed.processor.process(batch)
    assert [output.value for output in outputs] == [b"5", b"11"]
    assert framed.sink.written == [r.value for r in batch if r.value not in {b"5", b"11"}]
    headers = dict(outputs[0].headers or [])
    assert outputs[0].topic == "t.dead"
    assert (headers["stage"], headers["error"], headers["reason"]) == (b"sink:w", b"bad-value", b"must not be")
    assert (headers["topic"], headers["partition"], headers["offset"]) == (b"t.rows", b"0", b"5")
    assert headers["segwire-received-at-ms"] == b"5"


def test_a_refusal_that_the_sink_returns_becomes_a_dead_letter_too() -> None:
    framed = Framed()
    framed.sink.act = lambda records: [Refusal(records[1], "not-a-row", "no frame")]
    (dead,) = framed.processor.process([record(1), record(2, b"bad")])
    assert (dead.value, dict(dead.headers or [])["error"]) == (b"bad", b"not-a-row")


def test_what_was_refused_counts_once_it_is_committed_and_not_before() -> None:
    framed = Framed()
    framed.refuse(b"bad")
    batch = [record(1), record(2, b"bad")]
    before = [sample("segwire_sink_records_total", sink="w", result=x) for x in ("written", "refused")]
    framed.processor.process(batch)
    framed.processor.aborted()
    framed.processor.process(batch)
    framed.processor.committed()
    after = [sample("segwire_sink_records_total", sink="w", result=x) for x in ("written", "refused")]
    assert [now - then for then, now in zip(before, after, strict=True)] == [1, 1]


def test_a_failure_while_the_bad_record_is_looked_for_puts_off_the_whole_batch() -> None:
    framed = Framed()

    def act(records: Sequence[InputRecord]) -> Sequence[Outcome]:
        if len(records) > 1:
            raise InvalidRecord("bad-value", "some of them")
        raise Retriable("gone away")

    framed.sink.act = act
    with pytest.raises(Backpressure):
        framed.processor.process([record(1), record(2)])


def test_nothing_is_ever_due() -> None:
    assert Framed().processor.punctuate(5, [0]) == ()


class Tending:
    """Sees to partitions, or fails as the test says."""

    def __init__(self) -> None:
        self.asked: list[list[int]] = []
        self.failures: list[Exception] = []

    def tend(self, partitions: Collection[int]) -> None:
        self.asked.append(sorted(partitions))
        if self.failures:
            raise self.failures.pop(0)


def test_partitions_that_are_new_are_seen_to_once_and_again_when_they_come_back() -> None:
    tending = Tending()
    processor = SinkProcessor("w", "t.rows", "t.dead", ScriptedSink(), ManualClock(), LIMITS, tending)
    for partitions in ([0, 1], [0, 1], [0, 1, 2], [0], [0, 1]):
        assert processor.punctuate(0, partitions) == ()
    assert tending.asked == [[0, 1], [2], [1]]


def test_partitions_that_could_not_be_seen_to_are_when_the_breaker_allows_it() -> None:
    tending, clock = Tending(), ManualClock()
    processor = SinkProcessor("x", "t.rows", "t.dead", ScriptedSink(), clock, LIMITS, tending)
    tending.failures = [Retriable("gone away"), Backpressure(0.05)]
    processor.punctuate(0, [0])
    processor.punctuate(0, [0])
    assert tending.asked == [[0]]
    assert sample("segwire_sink_failures_total", sink="x") == 1
    clock.at_s += 1
    for _ in range(3):
        processor.punctuate(0, [0])
    assert tending.asked == [[0]] * 3
