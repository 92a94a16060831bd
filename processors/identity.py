"""Identity: which users have a partner ID, and removals by partner ID turned into removals by user."""

from collections import Counter
from collections.abc import Collection, Sequence

import msgspec

from processors.rules.partner_index import PartnerState, apply_identity, decode_partner_state, encode_partner_state
from runtime import metrics
from runtime.dead_letters import dead_letter
from runtime.processor import InputRecord, OutputRecord
from runtime.state.store import data_key
from runtime.state.table import NO_TIMER, Codec, StateTable, Summary
from schemas.privacy import IdentityRecord, decode_identity, encode_privacy_request, identity_key
from schemas.topics import TopicNames

STAGE = "identity"


def _summary(raw: bytes) -> Summary:
    partner = decode_partner_state(raw)
    return Summary(partner.offset, NO_TIMER, len(partner.users))


PARTNER_CODEC: Codec[PartnerState] = Codec(
    encode=encode_partner_state,
    decode=decode_partner_state,
    new=PartnerState,
    due_ms=lambda partner: NO_TIMER,  # noqa: ARG005 - nothing of a partner ID is ever due
    active=lambda partner: len(partner.users),
    blank=lambda partner: not partner.users and not partner.removed_at,
    summary=_summary,
    rules="",
)


class Identity:
    """Hosts the rule `apply_identity` over a table of partner IDs."""

    def __init__(self, names: TopicNames, table: StateTable[PartnerState]) -> None:
        """Publish removals to the topics of `names`."""
        self._names = names
        self._table = table
        self._dead: Counter[str] = Counter()

    def process(self, records: Sequence[InputRecord]) -> Sequence[OutputRecord]:
        """Apply each record to its partner ID."""
        outputs: list[OutputRecord] = []
        read = [(record, self._read(record, outputs)) for record in records]
        known = [(record, said) for record, said in read if said is not None]
        keys = [data_key(record.partition, identity_key(said.dpid, said.partner_uuid)) for record, said in known]
        self._table.load(keys)
        for key, (record, said) in zip(keys, known, strict=True):
            state = self._table[key]
            # In a topic that was made anew a low offset is no sign of a repeat, and no request may be passed over.
            if record.offset <= state.offset and not (said.kind == "privacy" and said.at > state.removed_at):
                continue
            state.offset = record.offset
            self._table.changed(key)
            events = self._names.segment_events
            for removal in apply_identity(state, said):
                value = encode_privacy_request(removal)
                outputs.append(OutputRecord(events, -1, removal.aam_uuid.encode(), value))
        return outputs

    def punctuate(self, now_ms: int, partitions: Collection[int]) -> Sequence[OutputRecord]:  # noqa: ARG002
        """Nothing is ever due."""
        return ()

    def committed(self) -> None:
        """Count what is now published."""
        for error, count in self._dead.items():
            metrics.DEAD_LETTERS.labels(stage=STAGE, error=error).inc(count)
        self.aborted()

    def aborted(self) -> None:
        """Forget the counts."""
        self._dead.clear()

    def _read(self, record: InputRecord, outputs: list[OutputRecord]) -> IdentityRecord | None:
        try:
            return decode_identity(record.value or b"")
        except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
            self._dead["malformed-identity"] += 1
            outputs.append(
                dead_letter(
                    self._names.dead_letters,
                    stage=STAGE,
                    error="malformed-identity",
                    reason=str(error),
                    source=None,
                    key=record.key,
                    value=record.value,
                    origin=(self._names.identity, record.partition, record.offset),
                    original=record.headers,
                )
            )
            return None
