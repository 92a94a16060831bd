"""Realistic traffic, verified by the simulator's own model; a restart in between changes nothing of what was."""

import json

from tests.e2e.conftest import StartUp
from tests.support.published_topics import assert_one_story, changes, rows
from tests.support.stack import Up


def test_mixed_traffic_becomes_what_the_model_says(shared_up: Up) -> None:
    users, sending = ("--users", "2000", "--segments", "100"), ("--rate", "200", "--duration", "15")
    shape = ("--batch-every", "5", "--dates", "mixed", "--seed", "11")
    done = shared_up.ask("simulate", *users, *sending, *shape, "--verify", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(done.stdout)
    assert {sort: found["count"] for sort, found in report["differences"].items()} == {
        "lost": 0,
        "wrong": 0,
        "phantom": 0,
        "duplicates": 0,
        "gaps": 0,
    }
    # At 200 a second, and batches on top.
    assert report["acknowledged"] > 3000
    assert report["kinds"]["batch"] > 0
    assert report["memberships_published"] >= report["memberships_expected"] > 1000


def test_start_on_the_same_data_goes_on_where_it_was(start_up: StartUp) -> None:
    up = start_up()
    verified = ["--verify", "--json", "--duration", "3", "--rate", "100", "--users", "300"]
    first = up.ask("simulate", *verified, "--seed", "1", "--client-id", "100001")
    assert first.returncode == 0, first.stdout + first.stderr
    before, log = rows(up), changes(up)
    assert len(before) == json.loads(first.stdout)["memberships_published"]

    assert up.stop() == 0
    assert "Stopped; the next start on the same data goes on from here" in up.said
    up.start()

    second = up.ask("simulate", *verified, "--seed", "2", "--client-id", "100002")
    assert second.returncode == 0, second.stdout + second.stderr
    assert rows(up, "100001") == before
    assert changes(up, "100001") == log
    assert rows(up, "100002")
    assert_one_story(up)
