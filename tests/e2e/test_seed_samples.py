"""The samples of the five documents, POSTed word for word, become the memberships that the wire format says."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import StartUp
from tests.support.published_topics import Json, Key, assert_one_story, changes, rows, wait_for_events
from tests.support.samples import SEED_LANGUAGES, seed_body
from tests.support.stack import Up

CLIENT = "74323"
FIRST = "19393572368547369350319949416899715727"
# 43 digits, the first a zero: it is never a number.
SECOND = "0578240750487542456854736923319946899715232"
FIRST_AT = 1_469_636_242_000  # Wed Jul 27 16:17:22 UTC 2016
SECOND_AT = 1_469_636_241_000
# 120 days from the next UTC midnight: Fri Nov 25 00:00:00 UTC 2016.
OVER_AT = 1_480_032_000_000
PARTNERS = {FIRST: "4250948725049857", SECOND: "848457757347734"}
QUALIFIED = {(FIRST, "14356"): FIRST_AT, (SECOND, "10329"): SECOND_AT, (SECOND, "23954"): SECOND_AT}


def key(aam_uuid: str, segment_id: str) -> Key:
    return Key(CLIENT, "423", aam_uuid, segment_id)


def post_samples(up: Up, languages: Sequence[str]) -> dict[str, list[Json]]:
    """Post samples and wait until they are processed; returns all events of both users so far."""
    for language in languages:
        assert up.post(seed_body(language)) == 200
    return wait_for_events(up, (FIRST, SECOND), len(languages))


def said(row: Json) -> tuple[Any, ...]:
    return row["status"], row["cause"], row["since"], row["verified_at"], row["expires_at"]


def told(change: Json) -> tuple[Any, ...]:
    return change["change"], change["cause"], change["since"], change["expires_at"], change["previous"]


def assert_events(events: dict[str, list[Json]], languages: Sequence[str]) -> None:
    """Every language said the same of both users; one names regions too."""
    segments = {
        FIRST: [
            {"segment_id": "14356", "status": "ACTIVE", "verified_at": FIRST_AT},
            {"segment_id": "12176", "status": "INACTIVE", "verified_at": FIRST_AT},
        ],
        SECOND: [
            {"segment_id": "10329", "status": "ACTIVE", "verified_at": SECOND_AT},
            {"segment_id": "23954", "status": "ACTIVE", "verified_at": SECOND_AT},
        ],
    }
    for aam_uuid, found in events.items():
        assert len(found) == len(languages)
        assert sorted(event["regions"] for event in found) == sorted([9] if lang == "nl" else [] for lang in languages)
        for event in found:
            assert event["segments"] == segments[aam_uuid]
            assert event["partner"] == {"uuid": PARTNERS[aam_uuid], "dpid": 12345}
            assert (event["client_id"], event["destination_id"], event["source"]) == (CLIENT, "423", "dev")
            assert event["process_time"] == 1_469_636_262_000


@pytest.fixture(scope="module")
def expired(shared_up: Up) -> dict[str, list[Json]]:
    """The events of all samples, in a pipeline where a membership lives for the default 120 days."""
    post_samples(shared_up, ["nl"])  # first, so that its regions are in the rows
    return post_samples(shared_up, ["ko", "zh", "es", "fr"])


def test_every_language_says_the_same_of_both_users(expired: dict[str, list[Json]]) -> None:
    assert_events(expired, SEED_LANGUAGES)


@pytest.mark.usefixtures("expired")
def test_memberships_of_2016_are_over_on_arrival(shared_up: Up) -> None:
    found = rows(shared_up, CLIENT)
    assert {k: said(row) for k, row in found.items()} == {
        **{key(*who): ("INACTIVE", "EXPIRED", OVER_AT, at, None) for who, at in QUALIFIED.items()},
        key(FIRST, "12176"): ("INACTIVE", "DISQUALIFIED", FIRST_AT, FIRST_AT, None),
    }
    for k, row in found.items():
        assert row["partners"] == [{"uuid": PARTNERS[k.aam_uuid], "dpid": 12345}]
        assert row["regions"] == [9]


@pytest.mark.usefixtures("expired")
def test_change_log_tells_entry_and_expiry_once_however_often_it_was_said(shared_up: Up) -> None:
    log = changes(shared_up, CLIENT)
    assert len(log) == 2 * len(QUALIFIED)
    for who, at in QUALIFIED.items():
        mine = [change for change in log if (change["aam_uuid"], change["segment_id"]) == who]
        assert [told(change) for change in mine] == [
            ("ENTERED", "QUALIFIED", at, OVER_AT, None),
            ("EXITED", "EXPIRED", OVER_AT, None, {"status": "ACTIVE", "since": at}),
        ]
        assert mine[0]["origin"] == mine[1]["origin"]
        assert mine[0]["origin"]["topic"] == "aam-posts"
    assert_one_story(shared_up)


@pytest.mark.usefixtures("expired")
def test_explain_tells_the_user_with_a_leading_zero(shared_up: Up) -> None:
    done = shared_up.ask("explain", SECOND, "--json")
    assert done.returncode == 0, done.stderr
    user = json.loads(done.stdout)
    assert user["aam_uuid"] == SECOND
    mine = [membership for membership in user["memberships"] if membership["client_id"] == CLIENT]
    assert [(m["segment_id"], m["status"], m["cause"]) for m in mine] == [
        ("10329", "INACTIVE", "EXPIRED"),
        ("23954", "INACTIVE", "EXPIRED"),
    ]
    for membership in mine:
        assert [(c["change"], c["cause"]) for c in membership["changes"]] == [
            ("EXITED", "EXPIRED"),
            ("ENTERED", "QUALIFIED"),
        ]


@pytest.mark.usefixtures("expired")
def test_nothing_of_the_samples_is_set_aside(shared_up: Up) -> None:
    letters = json.loads(shared_up.ask("dead-letters", "list", "--json").stdout)
    assert [letter for letter in letters if letter["stage"] != "ingest"] == []


def test_user_without_the_leading_zero_is_another_one(shared_up: Up) -> None:
    done = shared_up.ask("explain", SECOND.removeprefix("0"))
    assert done.returncode == 1
    assert f"user '{SECOND.removeprefix('0')}' is unknown" in done.stderr


def test_memberships_without_end_are_as_the_samples_say_before_and_after_a_restart(
    start_up: StartUp, tmp_path: Path
) -> None:
    config = tmp_path / "for-ever.yaml"
    config.write_text("membership: {default_ttl_days: 0}\n", encoding="utf-8")
    up = start_up("--config", str(config))
    assert_events(post_samples(up, SEED_LANGUAGES), SEED_LANGUAGES)
    before = rows(up, CLIENT)
    assert {k: said(row) for k, row in before.items()} == {
        **{key(*who): ("ACTIVE", "QUALIFIED", at, at, None) for who, at in QUALIFIED.items()},
        key(FIRST, "12176"): ("INACTIVE", "DISQUALIFIED", FIRST_AT, FIRST_AT, None),
    }
    log = changes(up, CLIENT)
    assert {(c["aam_uuid"], c["segment_id"]): told(c) for c in log} == {
        who: ("ENTERED", "QUALIFIED", at, None, None) for who, at in QUALIFIED.items()
    }
    assert len(log) == len(QUALIFIED)

    assert up.stop() == 0
    up.start()
    post_samples(up, ["fr"])
    assert rows(up, CLIENT) == before
    assert changes(up, CLIENT) == log
    assert_one_story(up)
