"""How the processor hosts the index of partner IDs; the store is a dictionary here."""

from collections.abc import Sequence
from typing import Any, cast

from processors.identity import PARTNER_CODEC, Identity
from processors.rules.partner_index import PartnerState
from runtime.processor import InputRecord, OutputRecord
from runtime.state.store import data_key
from runtime.state.table import StateTable
from schemas.event import decode_event
from schemas.privacy import IdentityRecord, PrivacyRequest, encode_identity, identity_key
from schemas.topics import TopicNames

NAMES = TopicNames("eu-")


class Entries:
    def __init__(self) -> None:
        self.entries: dict[bytes, bytes | None] = {}

    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        return [self.entries.get(key) for key in keys]


class Host:
    """The processor over a table in memory; offsets go on across batches."""

    def __init__(self) -> None:
        self.store = Entries()
        self.table: StateTable[PartnerState] = StateTable(cast("Any", self.store), PARTNER_CODEC)
        self.processor = Identity(NAMES, self.table)
        self.offset = 0

    def process(self, *values: IdentityRecord | bytes) -> list[OutputRecord]:
        records = []
        for value in values:
            raw = value if isinstance(value, bytes) else encode_identity(value)
            records.append(InputRecord(2, self.offset, b"1|p", raw, None, 0))
            self.offset += 1
        return list(self.processor.process(records))

    def commit(self) -> None:
        for record in self.table.changelog():
            self.store.entries[data_key(record.partition, record.key)] = record.value
        self.table.drop()


def _said(kind: Any, user: str | None = None, at: int = 5) -> IdentityRecord:
    return IdentityRecord(kind=kind, dpid=1, partner_uuid="p", at=at, aam_uuid=user, request_id="r")


def test_a_request_becomes_a_removal_of_each_user_keyed_by_the_user() -> None:
    host = Host()
    host.process(_said("synced", "a"))
    host.commit()
    (output,) = host.process(_said("privacy", at=9))
    assert (output.topic, output.partition, output.key) == ("eu-segment-events", -1, b"a")
    assert decode_event(output.value or b"") == PrivacyRequest(aam_uuid="a", requested_at=9, request_id="r")


def test_an_id_that_nobody_has_any_more_is_deleted_from_the_state() -> None:
    host = Host()
    host.process(_said("synced", "a"), _said("unsynced", "a"))
    host.commit()
    assert host.store.entries == {data_key(2, identity_key(1, "p")): None}


def test_a_record_that_was_applied_before_is_passed_over() -> None:
    host = Host()
    host.process(_said("synced", "a"), _said("privacy", at=9))
    host.commit()
    host.offset = 1
    assert host.process(_said("privacy", at=9)) == []


def test_what_is_no_identity_record_is_set_aside_and_the_line_goes_on() -> None:
    letter, removal = Host().process(b"{}", _said("synced", "a"), _said("privacy", at=9))
    assert letter.topic == "eu-dead-letters"
    assert dict(letter.headers or [])["error"] == b"malformed-identity"
    assert removal.topic == "eu-segment-events"


def test_the_first_bar_divides_the_key_of_a_partner_id() -> None:
    assert identity_key(20914, "a|b") == b"20914|a|b"
    assert identity_key(None, "c") == b"|c"


def test_a_newer_request_is_heard_at_a_lower_offset_as_the_topic_was_made_anew() -> None:
    host = Host()
    host.process(_said("synced", "a"), _said("privacy", at=9), _said("synced", "a", at=10))
    host.commit()
    host.offset = 0
    assert [output.key for output in host.process(_said("privacy", at=11))] == [b"a"]
