"""Fan-out: each POST becomes one event per good user, and one dead letter per bad one."""

from collections import Counter
from collections.abc import Collection, Sequence

from processors.rules.explode import Exploded, Finding, explode, only
from runtime import metrics
from runtime.dead_letters import dead_letter
from runtime.processor import InputRecord, OutputRecord, RecordHeaders
from schemas import headers
from schemas.content import BadEncoding, TooLarge, inflate
from schemas.event import encode_event
from schemas.redriven import redriven_marks, users_of
from schemas.topics import MESSAGE_MAX_BYTES, TopicNames

STAGE = "fan-out"
# Of the latest time that a date may name, in ms: a longer number is no time.
_TIME_DIGITS_MAX = 15
_ON_EVENTS = (headers.SOURCE, headers.RECEIVED_AT_MS, headers.TRACEPARENT, headers.REDRIVEN)
_ON_DEAD_LETTERS = (headers.CONTENT_TYPE, headers.CONTENT_ENCODING, headers.REQUEST_ID)


class FanOut:
    """Hosts the rule `explode`. It keeps nothing between records."""

    def __init__(self, names: TopicNames) -> None:
        """Publish to the topics of `names`."""
        self._names = names
        self._users: Counter[str] = Counter()
        self._dead: Counter[str] = Counter()
        self._all_zero_ids = 0
        self._count_mismatches = 0

    def process(self, records: Sequence[InputRecord]) -> Sequence[OutputRecord]:
        """Explode each record."""
        outputs: list[OutputRecord] = []
        for record in records:
            self._explode(record, outputs)
        return outputs

    def punctuate(self, now_ms: int, partitions: Collection[int]) -> Sequence[OutputRecord]:  # noqa: ARG002
        """Nothing is ever due."""
        return ()

    def committed(self) -> None:
        """Count what is now published."""
        for result, count in self._users.items():
            metrics.FAN_OUT_USERS.labels(result=result).inc(count)
        for error, count in self._dead.items():
            metrics.DEAD_LETTERS.labels(stage=STAGE, error=error).inc(count)
        metrics.FAN_OUT_ALL_ZERO_IDS.inc(self._all_zero_ids)
        metrics.FAN_OUT_COUNT_MISMATCHES.inc(self._count_mismatches)
        self.aborted()

    def aborted(self) -> None:
        """Forget the counts."""
        self._users.clear()
        self._dead.clear()
        self._all_zero_ids = self._count_mismatches = 0

    def _explode(self, record: InputRecord, outputs: list[OutputRecord]) -> None:
        source = headers.header_text(record.headers, headers.SOURCE) or "unknown"
        exploded = self._read(record, source)
        users = users_of(redriven_marks(record.headers))
        if users is not None:
            exploded = only(exploded, users)
        topic, passed_on = self._names.segment_events, self._kept(record, _ON_EVENTS)
        outputs.extend(
            OutputRecord(topic, -1, event.aam_uuid.encode(), encode_event(event), passed_on)
            for event in exploded.events
        )
        for finding in exploded.findings:
            outputs.append(self._dead_letter(record, source, finding))
            self._dead[finding.error] += 1
        self._users["event"] += len(exploded.events)
        self._users["set_aside"] += exploded.bad_users
        self._all_zero_ids += exploded.all_zero_ids
        self._count_mismatches += exploded.user_count_mismatch

    def _read(self, record: InputRecord, source: str) -> Exploded:
        encoding = headers.header_text(record.headers, headers.CONTENT_ENCODING)
        try:
            body = inflate(record.value or b"", encoding, MESSAGE_MAX_BYTES)
        except (BadEncoding, TooLarge) as error:
            return Exploded([], [Finding(None, "bad-encoding", str(error))])
        return explode(
            body,
            received_at=_received_at_ms(record),
            source=source,
            topic=self._names.aam_posts,
            partition=record.partition,
            offset=record.offset,
        )

    @staticmethod
    def _kept(record: InputRecord, names: tuple[str, ...]) -> RecordHeaders:
        found = ((name, headers.header_text(record.headers, name)) for name in names)
        return [(name, text.encode()) for name, text in found if text is not None]

    def _dead_letter(self, record: InputRecord, source: str, finding: Finding) -> OutputRecord:
        return dead_letter(
            self._names.dead_letters,
            stage=STAGE,
            error=finding.error,
            reason=finding.reason,
            source=source,
            key=record.key,
            value=record.value,
            origin=(self._names.aam_posts, record.partition, record.offset),
            user_index=finding.user_index,
            # Without it a message that is redriven would count as received when it was set aside.
            passed_on=[
                (headers.RECEIVED_AT_MS, b"%d" % _received_at_ms(record)),
                *self._kept(record, _ON_DEAD_LETTERS),
            ],
            original=record.headers,
        )


def _received_at_ms(record: InputRecord) -> int:
    text = headers.header_text(record.headers, headers.RECEIVED_AT_MS) or ""
    stamped = text.isdecimal() and len(text) <= _TIME_DIGITS_MAX
    return int(text) if stamped else record.timestamp_ms
