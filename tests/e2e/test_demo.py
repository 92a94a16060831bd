"""`segwire up --demo`: what a newcomer sees first."""

import json
from pathlib import Path

import httpx2

from schemas.avro_codec import schema_id_of
from segwire.up.lock import UP_FILE
from tests.e2e.conftest import StartUp
from tests.support.kafka import read_all, wait_until
from tests.support.pages import ROOT, Reader
from tests.support.postgres import query
from tests.support.published_topics import Key, changes, rows
from tests.support.registry import fetch_registry
from tests.support.stack import LIMIT_S, Up

CLIENT, FIRST = "74323", "19393572368547369350319949416899715727"
SECOND = "0578240750487542456854736923319946899715232"


def registered(registry_url: str) -> int:
    """Return the ID that the registry gave to the schema of the rows."""
    answer = httpx2.get(f"{registry_url}/subjects/segment-membership-value/versions/latest").json()
    return int(answer["id"])


def schema_ids(up: Up) -> set[int]:
    """Return the schema IDs that rows carry: those of the first partition that has any."""
    servers = json.loads((up.data_dir / UP_FILE).read_text(encoding="utf-8"))["kafka"]["bootstrap_servers"]
    for partition in range(12):
        values = read_all(servers, "segment-membership", partition)
        if found := {schema_id_of(value) for value in values if value is not None}:
            return found
    return set()


def test_demo_plays_the_samples_and_then_gentle_traffic_and_the_database_has_it(
    start_up: StartUp, tmp_path: Path
) -> None:
    fetch_registry()
    up = start_up("--demo", "--with", "postgres,registry")
    active = {Key(CLIENT, "423", who, what) for who, what in ((FIRST, "14356"), (SECOND, "10329"), (SECOND, "23954"))}

    def are_in() -> bool:
        return active == {k for k, row in rows(up, CLIENT).items() if row["status"] == "ACTIVE"}

    wait_until(are_in, "the samples' users are in their segments", LIMIT_S)
    left = rows(up, CLIENT)[Key(CLIENT, "423", FIRST, "12176")]
    assert (left["status"], left["cause"]) == ("INACTIVE", "DISQUALIFIED")
    # One sample came as it was written in 2016: over on arrival, then entered again as of now.
    mine = [c for c in changes(up, CLIENT) if (c["aam_uuid"], c["segment_id"]) == (FIRST, "14356")]
    assert [(c["change"], c["cause"]) for c in mine[:3]] == [
        ("ENTERED", "QUALIFIED"),
        ("EXITED", "EXPIRED"),
        ("ENTERED", "QUALIFIED"),
    ]
    assert mine[0]["since"] == 1_469_636_242_000
    wait_until(lambda: len(rows(up)) > len(rows(up, CLIENT)) + 20, "gentle traffic of other users", LIMIT_S)
    dsn = up.urls["postgres"]
    assert any(line.startswith("  PostgreSQL ") and line.endswith(dsn) for line in up.said.splitlines())
    members = f"SELECT aam_uuid, segment_id FROM segment_member WHERE client_id = '{CLIENT}'"
    wanted = {(key.aam_uuid, key.segment_id) for key in active}
    wait_until(lambda: set(query(dsn, members)) == wanted, "the samples' users are in the database", LIMIT_S)
    assert up.urls["sink-postgres-management"]
    assert schema_ids(up) == {registered(up.urls["registry"])}
    url = up.urls["ingest"]
    assert f"{url}/v1/aam/dev" in up.said
    assert "segwire explain" in up.said
    page = (ROOT / "README.md").read_text(encoding="utf-8")
    assert Reader(up, tmp_path / "clone").follow(page) == 3
    assert up.stop() == 0
