"""Pieces of a simulation for tests: messages, rows, changes, a clock that only the test moves."""

from typing import Any

from schemas.event import Origin, Status
from schemas.membership import SegmentMembership, SegmentMembershipChange, SegmentMembershipKey
from segwire.simulator.message import Message, Statement
from segwire.simulator.plan import SimulationPlan

START_MS = 1_764_000_000_000
CLIENT, DESTINATION, USER, SEGMENT = "74323", "423", "1" * 38, "14356"
KEY = (DESTINATION, USER, SEGMENT)
PARTNERS: dict[str, Any] = {"partners": [], "regions": []}


class ManualClock:
    """Stands still until a test moves it, or sleeps on it."""

    def __init__(self) -> None:
        self.at_s = 1000.0

    def now_ms(self) -> int:
        return START_MS + int(self.at_s * 1000)

    def monotonic_s(self) -> float:
        return self.at_s

    async def sleep(self, delay_s: float) -> None:
        self.at_s += delay_s


def plan(**parameters: Any) -> SimulationPlan:
    """Return a small plan; `parameters` replace."""
    small: dict[str, Any] = {
        "users": 300,
        "segments": 60,
        "rate": 100.0,
        "duration_s": 40.0,
        "batch_every_s": 15.0,
        "seed": 7,
        "start_ms": START_MS,
        "client_id": CLIENT,
    }
    return SimulationPlan(**{**small, **parameters})


def statement(at_s: int, *, active: bool = True, segment_id: str = SEGMENT, aam_uuid: str = USER) -> Statement:
    """Return what a message says of one membership."""
    return Statement(aam_uuid, segment_id, active, at_s)


def message(number: int, *statements: Statement, destination_id: str = DESTINATION) -> Message:
    """Return a message that says `statements`; its bytes are of no importance."""
    return Message(number, "visit", 0.0, destination_id, statements, b"{}")


def row(status: Status = "ACTIVE", *, version: int = 1, since: int = 1000, **fields: Any) -> SegmentMembership:
    """Return a row of the one membership."""
    cause = "QUALIFIED" if status == "ACTIVE" else "DISQUALIFIED"
    return SegmentMembership(**{**_fields(status, cause, since, version), **fields})


def change(status: Status = "ACTIVE", *, version: int = 1, since: int = 1000, **fields: Any) -> SegmentMembershipChange:
    """Return a change of the one membership, made by the record at the offset of its version."""
    cause = "QUALIFIED" if status == "ACTIVE" else "DISQUALIFIED"
    of_change: dict[str, Any] = {
        **_fields(status, cause, since, version),
        "change": "ENTERED" if status == "ACTIVE" else "EXITED",
        "previous": None,
        "changed_at": since,
        "origin": Origin("aam-posts", 0, version, 0),
    }
    return SegmentMembershipChange(**{**of_change, **fields})


def membership_key(client_id: str = CLIENT) -> SegmentMembershipKey:
    """Return the key of the one membership."""
    return SegmentMembershipKey(client_id, *KEY)


def _fields(status: Status, cause: str, since: int, version: int) -> dict[str, Any]:
    return {
        "client_id": CLIENT,
        "destination_id": DESTINATION,
        "aam_uuid": USER,
        "segment_id": SEGMENT,
        "status": status,
        "cause": cause,
        "since": since,
        "verified_at": since,
        "expires_at": None,
        "version": version,
        **PARTNERS,
    }
