"""What a running pipeline published, as `segwire topics read` prints it, and whether it tells one story."""

from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

from tests.support.kafka import wait_until
from tests.support.posts import body, segment, user
from tests.support.stack import LIMIT_S, Up

MARKER_CLIENT = "marker"

Json = dict[str, Any]


class Key(NamedTuple):
    """Which membership."""

    client_id: str
    destination_id: str
    aam_uuid: str
    segment_id: str


def key_of(record: Json) -> Key:
    """Return which membership a row, a change or a key is of."""
    return Key(*(record[name] for name in Key._fields))


def rows(up: Up, client_id: str | None = None, aam_uuid: str | None = None) -> dict[Key, Json]:
    """Return the present row of every membership, or of those of one client, of one user."""
    found: dict[Key, Json] = {}
    for record in up.records("segment-membership", *(() if aam_uuid is None else ("--key", aam_uuid))):
        key = key_of(record["key"])
        found.pop(key, None)
        if record["value"] is not None:
            found[key] = record["value"]
    return {key: row for key, row in found.items() if client_id in (None, key.client_id)}


def changes(up: Up, client_id: str | None = None) -> list[Json]:
    """Return the changes, those of one user in the order of the log."""
    found = [record["value"] for record in up.records("segment-membership-changes")]
    return [change for change in found if client_id in (None, change["client_id"])]


def assert_one_story(up: Up) -> None:
    """Nothing is published twice, each version is above the one before, and entries and exits take turns."""
    versions: dict[Key, int] = {}
    for record in up.records("segment-membership"):
        if record["value"] is not None:
            key, version = key_of(record["key"]), record["value"]["version"]
            assert version > versions.get(key, -1), f"row of {key}: version {version} after {versions[key]}"
            versions[key] = version
    last: dict[Key, Json] = {}
    log = changes(up)
    for change in log:
        key = key_of(change)
        before = last.get(key)
        assert (before is None and change["change"] == "ENTERED") or (
            before is not None and before["change"] != change["change"] and before["version"] < change["version"]
        ), f"{key}: {change['change']} of version {change['version']} after {before}"
        last[key] = change
    causes = Counter((key_of(change), change["change"], str(change["origin"])) for change in log)
    assert not [cause for cause, count in causes.items() if count > 1]


def wait_for_events(up: Up, users: Sequence[str], more: int) -> dict[str, list[Json]]:
    """Wait until fan-out made so many more events of each user, and membership took them; return all of them so far.

    Events of one user are taken in order: when the row of a marker sent after them is there, they are done.
    """
    found = {}
    for aam_uuid in users:
        up.awaited[aam_uuid] += more
        events = up.records("segment-events", "--key", aam_uuid, "--follow", "--limit", str(up.awaited[aam_uuid]))
        found[aam_uuid] = [event["value"] for event in events if event["value"]["client_id"] != MARKER_CLIENT]
    markers = [user(aam_uuid, Segments=[segment(f"marker-{up.awaited[aam_uuid]}")]) for aam_uuid in users]
    assert up.post(body(*markers, Client_ID=MARKER_CLIENT)) == 200
    for aam_uuid in users:
        key = Key(MARKER_CLIENT, "423", aam_uuid, f"marker-{up.awaited[aam_uuid]}")
        up.awaited[aam_uuid] += 1
        wait_until(lambda key=key: key in rows(up, MARKER_CLIENT, key.aam_uuid), f"the row of {key}", LIMIT_S)  # type: ignore[misc]
    return found
