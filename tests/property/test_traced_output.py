"""Traces change nothing of what is published and kept but the one header."""

from collections.abc import Sequence
from typing import Any, cast

from hypothesis import given
from hypothesis import strategies as st

from processors.membership import Membership, user_codec
from processors.rules.expiry import TimeLimits
from processors.rules.state import UserState
from runtime.processor import InputRecord, OutputRecord
from runtime.state.table import ChangelogRecord, StateTable
from runtime.tracing.processor import Step, continued
from runtime.tracing.tracer import Tracer
from schemas.event import SegmentEvent, SegmentStatus, encode_event
from schemas.topics import TopicNames
from schemas.trace_context import context_of
from tests.support.events import DAY_0, HOUR_MS, event
from tests.support.loop import Clock
from tests.support.traces import SENDER, KeepingTracer

NAMES = TopicNames("")
LIMITS = TimeLimits(default_ttl_days=1, inactivity_days=2)
CARRYING = (NAMES.segment_membership, NAMES.segment_membership_changes, NAMES.dead_letters)

Said = tuple[SegmentEvent | None, bool]
"""An event, or what is none; and whether it is traced."""


class Empty:
    """A store in which nothing is kept yet."""

    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        return [None for _ in keys]


_hours = st.integers(0, 80).map(lambda hour: DAY_0 + hour * HOUR_MS)
_segments = st.builds(SegmentStatus, st.sampled_from("12"), st.sampled_from(["ACTIVE", "INACTIVE"]), _hours)
_events = st.builds(
    lambda segments, received_at, aam_uuid: event(*segments, received_at=received_at, aam_uuid=aam_uuid),
    st.lists(_segments, max_size=3), _hours, st.sampled_from(["u1", "u2", "u3"]),
)  # fmt: skip
_said: st.SearchStrategy[list[Said]] = st.lists(
    st.tuples(st.one_of(_events, _events, _events, st.none()), st.booleans()), min_size=1, max_size=12
)


def records_of(said: Sequence[Said]) -> list[InputRecord]:
    traceparent = ("traceparent", SENDER.header())
    return [
        InputRecord(0, offset, b"u", b"?" if told is None else encode_event(told), [traceparent] if traced else [], 0)
        for offset, (told, traced) in enumerate(said)
    ]


def processed(said: Sequence[Said], tracer: Tracer | None) -> tuple[list[OutputRecord], list[ChangelogRecord]]:
    table: StateTable[UserState] = StateTable(cast("Any", Empty()), user_codec(LIMITS, ()))
    membership = Membership(NAMES, LIMITS, table, Clock())
    processor = continued(tracer, membership, Step("process", NAMES.segment_events, "g"), Clock(), CARRYING)
    outputs = list(processor.process(records_of(said)))
    return outputs, sorted(table.changelog(), key=str)


def by_topic(outputs: Sequence[OutputRecord]) -> dict[str, list[tuple[int, bytes | None, bytes | None]]]:
    """Return what each topic's readers see, in order, headers apart."""
    found: dict[str, list[tuple[int, bytes | None, bytes | None]]] = {}
    for output in outputs:
        found.setdefault(output.topic, []).append((output.partition, output.key, output.value))
    return found


@given(_said)
def test_what_is_published_and_kept_is_the_same_bytes_with_traces(said: list[Said]) -> None:
    plain, kept = processed(said, None)
    tracer = KeepingTracer()
    traced, kept_too = processed(said, tracer)
    assert by_topic(traced) == by_topic(plain)
    assert kept_too == kept
    assert len(tracer.spans) == sum(traced for _, traced in said)
    # What is carried is of a span of its own record, and private topics carry nothing.
    spans = {span.context for span in tracer.spans}
    carried = [(output.topic, context) for output in traced if (context := context_of(output.headers)) is not None]
    assert {context for _, context in carried} <= spans
    assert {topic for topic, _ in carried} <= set(CARRYING)
    if all(traced for _, traced in said):
        assert len(carried) == sum(output.topic in CARRYING for output in traced)
