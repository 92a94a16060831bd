"""Outbound destinations as processes, a partner of ours that misbehaves, a real Kafka between."""

import os
import random
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from schemas.event import Partner
from schemas.membership import SegmentMembership
from schemas.post_reading import parse_post
from tests.support.ingest_process import running_ingest
from tests.support.kafka import wait_until
from tests.support.outbound import DPID, row
from tests.support.outbound_stage import OutboundStage
from tests.support.processors import Pipeline
from tests.support.receiver import Key, Receiver, Reply, Request, fine

NOW_MS = time.time_ns() // 1_000_000_000 * 1000
# More of them by `make sink-kills`; what came of that is in docs/evidence/sinks.md.
KILLS = int(os.environ.get("SINK_KILLS", "2"))


@pytest.fixture
def partners() -> Iterator[tuple[Receiver, Receiver]]:
    made = Receiver(), Receiver()
    yield made
    for each in made:
        each.close()


def name_of(number: int) -> str:
    return f"{number:038d}"


class Senders:
    """Rows as the membership processor would publish them: versions rise, and so do times, a second each."""

    def __init__(self, stage: OutboundStage) -> None:
        self.stage = stage
        self.version = 0
        self.rows: dict[tuple[str, str], SegmentMembership] = {}
        self.turns: Counter[Key] = Counter()

    def say(self, number: int, segment_id: str, *, active: bool = True, partners: int = 1) -> None:
        self.say_all([(number, segment_id, active)], partners)

    def say_all(self, said: list[tuple[int, str, bool]], partners: int = 1) -> None:
        self.stage.publish([self._row(number, segment_id, active, partners) for number, segment_id, active in said])

    def _row(self, number: int, segment_id: str, active: bool, partners: int) -> SegmentMembership:
        self.version += 1
        made = row(
            segment_id, self.version, "ACTIVE" if active else "INACTIVE", NOW_MS - 86_400_000 + self.version * 1000,
            aam_uuid=name_of(number), partners=[Partner(f"cookie-{number}-{index}", DPID) for index in range(partners)],
        )  # fmt: skip
        before = self.rows.get((made.aam_uuid, segment_id))
        if before is None or before.status != made.status:
            self.turns.update((made.aam_uuid, partner.uuid, segment_id) for partner in made.partners)
        self.rows[made.aam_uuid, segment_id] = made
        return made

    def memberships(self) -> dict[Key, int]:
        """What a partner must hold in the end."""
        return {
            (uuid, partner.uuid, segment_id): int(made.status == "ACTIVE")
            for (uuid, segment_id), made in self.rows.items()
            for partner in made.partners
        }


def of_user(number: int, reply: Reply, request: Request) -> Reply:
    return reply if name_of(number) in request.users else Reply()


def break_off_and_be_late(stage: OutboundStage, bad: Receiver, senders: Senders) -> None:
    """Answers that break off, or come late: the retry passes."""
    bad.requests.clear()
    tried: Counter[bytes] = Counter()

    def breaks_first(request: Request) -> Reply:
        tried[request.body] += 1
        return Reply(fault="close-mid-body") if tried[request.body] == 1 else Reply(after_s=0.5)

    bad.behaviour = breaks_first
    senders.say_all([(number, "2", True) for number in range(2, 6)], partners=2)
    stage.wait_done("bad")
    assert set(tried.values()) == {2}


def hang_with_one(stage: OutboundStage, partners: tuple[Receiver, Receiver], senders: Senders) -> None:
    """A message that is taken and never answered: given up in time, tried once more, parked; all others pass."""
    bad, good = partners
    bad.requests.clear()

    def is_hung(request: Request) -> bool:
        return b"cookie-6-0" in request.body

    bad.behaviour = lambda request: Reply(503, fault="hang") if is_hung(request) else Reply()
    senders.say_all([(number, "5", True) for number in range(2, 7)], partners=2)
    keys = {(name_of(number), f"cookie-{number}-1", "5") for number in range(2, 7)}
    wait_until(lambda: keys <= good.memberships().keys(), "the good partner has it")
    assert stage.behind("bad") > 0
    stage.wait_done("bad")
    assert keys <= bad.memberships().keys()
    assert len([request for request in bad.requests if is_hung(request)]) == 2
    told = [each for each in stage.receipts() if each.partner and each.partner.uuid == "cookie-6-0"]
    tries = [(each.outcome, each.attempt, each.reason) for each in told if each.destination == "bad"]
    reason = "no whole answer in time"
    assert tries == [("FAILED", 1, reason), ("FAILED", 2, reason), ("PARKED", 0, reason)]
    assert all(3000 <= (each.latency_ms or 0) < 6000 for each in told if each.outcome == "FAILED")


def ask_to_wait(stage: OutboundStage, bad: Receiver, senders: Senders) -> None:
    """503 and how long: left alone until then, and nothing is parked."""
    bad.requests.clear()
    refused_s: list[float] = []

    def asks_to_wait(request: Request) -> Reply:
        if refused_s and request.at_s > refused_s[0] + 1:
            return Reply()
        refused_s.append(request.at_s)
        return Reply(503, headers=("Retry-After: 2",))

    bad.behaviour = asks_to_wait
    senders.say_all([(number, "4", True) for number in range(2, 6)], partners=2)
    stage.wait_done("bad")
    assert min(request.at_s for request in bad.requests if request.at_s > refused_s[-1]) >= refused_s[0] + 2
    assert len(refused_s) <= 8  # once each message, side by side


def test_a_partner_that_misbehaves_loses_nothing_and_holds_up_nobody_else(
    stage: OutboundStage, partners: tuple[Receiver, Receiver]
) -> None:
    bad, good = partners
    stage.destination("bad", bad.url, max_users_per_message=1)
    stage.destination("good", good.url)
    sinks = [stage.start("bad"), stage.start("good")]
    for sink in sinks:
        sink.wait_ready()
    senders = Senders(stage)

    # One that fails while others pass: tried twice, and parked.
    bad.behaviour = lambda request: of_user(1, Reply(500), request)
    senders.say_all([(number, "1", True) for number in range(1, 6)], partners=2)
    stage.wait_done("bad")
    assert Counter(name for request in bad.requests for name in request.users)[name_of(1)] in {4, 8}
    letters = stage.dead_letters()
    assert {parse_post(letter.value() or b"").users[0].aam_uuid for letter in letters} == {name_of(1)}
    headers = dict(letters[0].headers() or [])
    assert (headers["stage"], headers["error"]) == (b"sink:bad", b"status-500")

    break_off_and_be_late(stage, bad, senders)
    hang_with_one(stage, partners, senders)
    ask_to_wait(stage, bad, senders)

    # Nobody there: all of it waits, and the other destination has its own.
    bad.go_away()
    for number in range(2, 6):
        senders.say(number, "3", partners=2)
        key = (name_of(number), f"cookie-{number}-1", "3")
        wait_until(lambda: key in good.memberships(), "the good partner has it")  # noqa: B023 - called at once
    wait_until(lambda: sinks[0].metric('segwire_sink_failures_total{sink="bad"}') >= 2, "the bad partner is given up")
    assert stage.behind("bad") > 0
    bad.behaviour = fine
    bad.come_back()
    # Parked once, and told anew as the users are seen again.
    for number in (1, 6):
        senders.say(number, "2", partners=2)
    stage.wait_done("bad")
    stage.wait_done("good")
    for sink in sinks:
        sink.stop()

    for partner in partners:
        assert partner.memberships() == senders.memberships()
        assert [count for count in Counter(key for key, _ in partner.changes).values() if count > 1] == []
    outcomes = Counter((each.destination, each.outcome) for each in stage.receipts())
    assert outcomes["bad", "PARKED"] == 3
    identifiers = {(uuid, partner) for uuid, partner, _ in senders.memberships()}
    assert outcomes["good", "DELIVERED"] >= len(identifiers)
    errors = Counter(dict(letter.headers() or [])["error"] for letter in stage.dead_letters())
    assert errors == {b"status-500": len(letters), b"timeout": 1}


@pytest.mark.skipif("SINK_KILLS" not in os.environ, reason="takes long: part of `make sink-kills`")
@pytest.mark.quiet
def test_a_partner_that_takes_three_seconds_for_an_answer_delays_no_other_by_one(
    stage: OutboundStage, partners: tuple[Receiver, Receiver]
) -> None:
    slow, quick = partners
    slow.behaviour = lambda _: Reply(after_s=2.9)
    for name, partner in (("slow", slow), ("quick", quick)):
        stage.destination(name, partner.url)
        stage.start(name).wait_ready()
    senders = Senders(stage)
    for number in range(1, 6):
        said_s = time.monotonic()
        senders.say(number, "1")
        key = (name_of(number), f"cookie-{number}-0", "1")
        wait_until(lambda: key in quick.memberships(), "the quick partner has it")  # noqa: B023 - called at once
        assert time.monotonic() - said_s < 1
    stage.wait_done("slow")
    assert slow.memberships() == quick.memberships() == senders.memberships()


def test_a_kill_under_traffic_loses_nothing_and_changes_nothing_twice(
    stage: OutboundStage, partners: tuple[Receiver, Receiver]
) -> None:
    receiver, _ = partners
    receiver.behaviour = lambda _: Reply(after_s=0.02)
    stage.destination("partner", receiver.url, batch_records=50, max_users_per_message=2)
    sink = stage.start("partner").wait_ready()
    senders, chance = Senders(stage), random.Random(5)
    for _ in range(KILLS):
        said = [(chance.randint(1, 60), str(chance.randint(1, 4)), chance.random() < 0.6) for _ in range(200)]
        sent = len(receiver.requests) + chance.randint(10, 40)
        senders.say_all(said)
        wait_until(lambda: len(receiver.requests) >= sent, "some of it is sent")  # noqa: B023 - called at once
        sink.kill()
        sink = stage.start("partner")
    sink.wait_ready()
    stage.wait_done("partner")
    sink.stop()
    assert receiver.memberships() == senders.memberships()
    # No turn is taken twice; such as waited together may have been told as one.
    assert Counter(key for key, _ in receiver.changes) <= senders.turns
    assert [letter.headers() for letter in stage.dead_letters()] == []


def test_what_one_segwire_sends_another_takes_and_both_hold_the_same_membership(
    stage: OutboundStage, tmp_path: Path
) -> None:
    """A second installation with its own topics, which asks for a signature and a token of each message."""
    there = tmp_path / "there"
    there.mkdir()
    (there / "key").write_bytes(b"of both")
    config = there / "segwire.yaml"
    key = {"secret_file": str(there / "key")}
    source = {"hmac": {"algorithm": "sha256", "keys": [key]}, "oauth2": {"clients": [{"id": "here", **key}]}}
    config.write_text(yaml.safe_dump({"sources": {"here": source}}))
    second = Pipeline(stage.kafka.bootstrap_servers or "", f"{stage.names.prefix}there-", there)
    second.create_topics()
    services = [second.start("fan-out"), second.start("membership")]
    with running_ingest(second.kafka, there, ["--config", str(config)]) as ingest:
        tokens = {"token_url": f"{ingest.url}/oauth2/token", "id": "here", **key}
        auth = {"hmac": {"algorithm": "sha256", "keys": [key]}, "oauth2": tokens}
        segments = {str(number): {"value": f"theirs-{number}"} for number in range(1, 5)}
        stage.destination("there", f"{ingest.url}/v1/aam/here", auth=auth, segments=segments)
        sink = stage.start("there")
        senders, chance = Senders(stage), random.Random(3)
        for _ in range(4):
            said = [(chance.randint(1, 40), str(chance.randint(1, 4)), chance.random() < 0.6) for _ in range(50)]
            senders.say_all(said, partners=chance.randint(1, 3))
        sink.wait_ready()
        stage.wait_done("there")
        second.wait_processed()
        sink.stop()
    for service in services:
        service.stop()
    rows = {(row.aam_uuid, row.segment_id): row for row in second.rows()}
    assert {key: row.status for key, row in rows.items()} == {
        (uuid, f"theirs-{segment_id}"): row.status for (uuid, segment_id), row in senders.rows.items()
    }
    assert {(row.client_id, row.destination_id) for row in rows.values()} == {("partner", "7")}
    for (uuid, _), held in rows.items():
        assert {partner.uuid for partner in held.partners} & {f"cookie-{int(uuid)}-{index}" for index in range(3)}
    assert not second.read(second.names.dead_letters)
    assert not stage.dead_letters()
