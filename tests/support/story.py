"""What numbered messages tell of users who enter and leave, and what the membership must be once they are heard."""

from collections.abc import Iterable

from schemas.event import Status
from tests.support.load import PERSON
from tests.support.oracle import Oracle, change_of, changes_by_key, row_of, rows_by_key
from tests.support.posts import body, segment, user
from tests.support.processors import Pipeline

MESSAGES_PER_USER = 3
# Some users leave in the end, some come back; every third says the same again.
_STORIES = (("1", "1", "0"), ("1", "0", "1"), ("0", "1", "1"))


class Story:
    """Tells of one segment; of each user a few messages, a millisecond apart from `start_ms` on."""

    def __init__(self, start_ms: int) -> None:
        self._start_ms = start_ms

    def payload(self, number: int) -> bytes:
        """Return a message that tells its number, and what happens next in its user's story."""
        said = segment(status=_status(number), when=str(self._start_ms + number))
        return body(user(_user(number), Segments=[said]), number=number)

    def end(self, heard: Iterable[int]) -> dict[str, Status]:
        """Return what each user is in the end: what the latest of the messages says that were heard."""
        latest: dict[str, int] = {}
        for number in heard:
            latest[_user(number)] = max(number, latest.get(_user(number), -1))
        return {name: "ACTIVE" if _status(number) == "1" else "INACTIVE" for name, number in latest.items()}


def check_membership(pipeline: Pipeline, wanted: dict[str, Status]) -> None:
    """See that every user is what is wanted, and that every row and change was published exactly once."""
    oracle = Oracle(default_ttl_days=120, inactivity_days=120, ttl_days={})
    oracle.hear_all(pipeline.events())
    rows, changes = pipeline.rows(), pipeline.changes()
    assert {key.aam_uuid: row.status for key, row in oracle.last_rows().items()} == wanted
    assert changes_by_key(map(change_of, changes)) == changes_by_key(oracle.changes)
    assert rows_by_key(map(row_of, rows)) == rows_by_key(oracle.rows)
    versions = [(row_of(change).key, change.version) for change in changes]
    assert len(set(versions)) == len(versions)
    assert pipeline.read(pipeline.names.dead_letters) == []


def _user(number: int) -> str:
    return f"{PERSON}-{number // MESSAGES_PER_USER}"


def _status(number: int) -> str:
    told, at = divmod(number, MESSAGES_PER_USER)
    return _STORIES[told % len(_STORIES)][at]
