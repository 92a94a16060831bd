"""The real endpoint through outages of a real Kafka, of its disk and of itself. Seeds and figures are printed."""

import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from runtime.settings import KafkaSettings
from tests.support.harm import HarmedKafka, metric, state_is, stored, wait_until_empty
from tests.support.ingest_process import JSON, PATH, IngestProcess, read_records, running_ingest, with_topics
from tests.support.kafka import LIMIT_S, wait_until
from tests.support.load import PERSON, Load, Sent, payload, quantile_ms, sending
from tests.support.processors import Pipeline
from tests.support.story import Story, check_membership

RATE_PER_S = float(os.environ.get("SOAK_RATE_PER_S", "300"))
OUTAGE_S = float(os.environ.get("SOAK_OUTAGE_S", "15"))
# From here on every kind of outage is followed to the membership.
WHOLE_OUTAGE_S = 60
KILLS = int(os.environ.get("SOAK_KILLS", "8"))
# Longer than the endpoint waits for its stores, shorter than the sender waits for the endpoint.
STANDSTILL_S = 2.3
STANDSTILLS = int(os.environ.get("SOAK_STANDSTILLS", "1"))
# What the sender waits for an answer.
SENDER_TIMEOUT_MS = 3000
P99_DOWN_MS = 1500

pytestmark = pytest.mark.timeout(300 + 4 * OUTAGE_S + 20 * KILLS + 10 * STANDSTILLS)


@pytest.fixture
def kafka(tmp_path: Path) -> Iterator[HarmedKafka]:
    harmed = HarmedKafka(tmp_path / "kafka")
    yield harmed
    harmed.stop()


@pytest.fixture
def topics(kafka: HarmedKafka, topic_prefix: str) -> KafkaSettings:
    return with_topics(kafka.bootstrap_servers, topic_prefix)


def report(name: str, sent: list[Sent]) -> None:
    print(  # noqa: T201 - shown where the test fails, and with -s
        f"{name}: {len(sent)} answers, p50 {quantile_ms(sent, 0.5):.0f} ms, p99 {quantile_ms(sent, 0.99):.0f} ms, "
        f"longest {quantile_ms(sent, 1):.0f} ms"
    )


def let_pass(load: Load, seconds: float) -> None:
    """Wait until the sender has sent for so long."""
    wanted = load.next + int(seconds * RATE_PER_S)
    wait_until(lambda: load.next >= wanted, f"{wanted} messages sent", seconds + LIMIT_S)


# The third: what the producer had when the outage began is given up in it, and is replayed as well.
@pytest.mark.parametrize(
    ("harm", "properties"), [("killed", "{}"), ("frozen", "{}"), ("frozen", '{"message.timeout.ms": 5000}')]
)
@pytest.mark.quiet
def test_an_outage_of_kafka_is_not_seen_by_the_sender_and_leaves_no_trace_in_the_membership(
    kafka: HarmedKafka, topic_prefix: str, tmp_path: Path, harm: str, properties: str
) -> None:
    pipeline = Pipeline(kafka.bootstrap_servers, topic_prefix, tmp_path)
    pipeline.create_topics()
    topics = pipeline.kafka
    story = Story(time.time_ns() // 1_000_000)
    with running_ingest(topics, tmp_path, SEGWIRE_KAFKA__PROPERTIES=properties) as ingest:
        with sending(ingest.url + PATH, RATE_PER_S, make=story.payload) as load:
            let_pass(load, 3)
            down_s = time.monotonic()
            kafka.kill() if harm == "killed" else kafka.signal(signal.SIGSTOP)
            let_pass(load, OUTAGE_S)
            assert ingest.is_ready()
            assert state_is(ingest, "kafka-down")
            up_s = time.monotonic()
            kafka.start_again() if harm == "killed" else kafka.signal(signal.SIGCONT)
            wait_until(lambda: state_is(ingest, "kafka-ok"), "Kafka relied upon again")
            let_pass(load, 3)
        wait_until_empty(ingest)
        assert metric(ingest, "segwire_ingest_loss_risk_total") == 0
        assert metric(ingest, "segwire_ingest_replayed_total") > 0
        own = [
            line for line in ingest.get_management("/metrics").body.decode().splitlines() if "_seconds_bucket" in line
        ]
        assert PERSON not in ingest.log.read_text()
    print("\n".join(own))  # noqa: T201 - how much of the times below is the machine's
    while_down = [sent for sent in load.sent if down_s <= sent.began_s < up_s]
    report(f"{harm}, while down", while_down)
    report(f"{harm}, all", load.sent)
    assert {sent.status for sent in load.sent} == {200}
    assert quantile_ms(load.sent, 1) < SENDER_TIMEOUT_MS
    assert quantile_ms(while_down, 0.99) < P99_DOWN_MS
    in_kafka = stored(topics)
    print(f"{len(in_kafka) - len(set(in_kafka))} of {len(in_kafka)} stored twice")  # noqa: T201 - as above
    assert load.acknowledged() <= set(in_kafka)
    if OUTAGE_S < WHOLE_OUTAGE_S and properties == "{}":
        return  # the one with the most repeats speaks for all
    try:
        for name in ("fan-out", "membership"):
            pipeline.start(name).wait_ready()
        pipeline.wait_processed()
        check_membership(pipeline, story.end(load.acknowledged()))
    finally:
        pipeline.stop()


def test_a_replay_keeps_what_is_known_of_the_request(kafka: HarmedKafka, topics: KafkaSettings, tmp_path: Path) -> None:
    with running_ingest(topics, tmp_path) as ingest:
        kafka.signal(signal.SIGSTOP)
        before_ms = time.time_ns() // 1_000_000
        for number in range(3):
            assert ingest.post(payload(number), {**JSON, "X-Request-Id": f"r-{number}"}).status == 200
        assert ingest.post(b"malformed", {**JSON, "X-Request-Id": "bad"}).status == 400
        after_ms = time.time_ns() // 1_000_000
        ingest.process.kill()
        ingest.process.wait()
        kafka.signal(signal.SIGCONT)
    with running_ingest(topics, tmp_path) as ingest:
        wait_until_empty(ingest)
    servers = topics.bootstrap_servers or ""
    for topic, ids in (("aam-posts", {b"r-0", b"r-1", b"r-2"}), ("dead-letters", {b"bad"})):
        found = [dict(headers) for _, headers in read_records(servers, topics.topic_prefix + topic)]
        assert {headers["segwire-request-id"] for headers in found} == ids
        assert all(before_ms <= int(headers["segwire-received-at-ms"]) <= after_ms for headers in found)


def test_it_starts_serves_and_ends_without_a_kafka(kafka: HarmedKafka, topics: KafkaSettings, tmp_path: Path) -> None:
    kafka.kill()
    with running_ingest(topics, tmp_path) as ingest:
        assert ingest.is_ready()
        assert [ingest.post(payload(number)).status for number in range(20)] == [200] * 20
        code, took_s = ingest.stop()
        assert code == 0
        assert took_s < 20
        assert b'"unacknowledged_records": 0' in ingest.log.read_bytes()
    kafka.start_again()
    with running_ingest(topics, tmp_path) as ingest:
        wait_until_empty(ingest)
    assert set(stored(topics)) == set(range(20))


def test_a_kafka_that_comes_later_gets_all(kafka: HarmedKafka, topics: KafkaSettings, tmp_path: Path) -> None:
    kafka.kill()
    with running_ingest(topics, tmp_path) as ingest:
        assert ingest.post(payload(0)).status == 200
        kafka.start_again()
        wait_until_empty(ingest)
        assert ingest.post(payload(1)).status == 200
    assert set(stored(topics)) == {0, 1}


def test_topics_that_are_made_later_get_all(kafka: HarmedKafka, topic_prefix: str, tmp_path: Path) -> None:
    absent = KafkaSettings(bootstrap_servers=kafka.bootstrap_servers, topic_prefix=topic_prefix)
    with running_ingest(absent, tmp_path) as ingest:
        assert ingest.post(payload(0)).status == 200
        assert "segwire topics apply" in ingest.log.read_text()
        topics = with_topics(kafka.bootstrap_servers, topic_prefix)
        wait_until_empty(ingest)
    assert stored(topics) == [0]


def test_a_stop_under_traffic_with_kafka_down_is_in_time_and_loses_nothing(
    kafka: HarmedKafka, topics: KafkaSettings, tmp_path: Path
) -> None:
    with running_ingest(topics, tmp_path) as ingest, sending(ingest.url + PATH, RATE_PER_S) as load:
        let_pass(load, 1)
        kafka.signal(signal.SIGSTOP)
        let_pass(load, 0.5)
        code, took_s = ingest.stop()
        assert code == 0
        assert took_s < 20
    assert load.acknowledged()
    kafka.signal(signal.SIGCONT)
    with running_ingest(topics, tmp_path) as ingest:
        wait_until_empty(ingest)
    assert load.acknowledged() <= set(stored(topics))


def test_an_endpoint_that_stood_still_hears_its_disk_before_it_gives_anyone_up(
    kafka: HarmedKafka, topics: KafkaSettings, tmp_path: Path
) -> None:
    with running_ingest(topics, tmp_path) as ingest:
        kafka.signal(signal.SIGSTOP)
        with sending(ingest.url + PATH, RATE_PER_S) as load:
            wait_until(lambda: state_is(ingest, "kafka-down"), "Kafka not relied upon")
            for _ in range(STANDSTILLS):
                let_pass(load, 1)
                ingest.process.send_signal(signal.SIGSTOP)
                let_pass(load, STANDSTILL_S)
                ingest.process.send_signal(signal.SIGCONT)
        assert metric(ingest, "segwire_ingest_loss_risk_total") == 0
    report("stood still", load.sent)
    assert {sent.status for sent in load.sent} == {200}


def test_kill_9_at_any_moment_loses_nothing_that_was_acknowledged(
    kafka: HarmedKafka, topics: KafkaSettings, tmp_path: Path
) -> None:
    seed = random.SystemRandom().randrange(1 << 32)
    print(f"seed {seed}")  # noqa: T201 - shown where the test fails
    pick = random.Random(seed)
    acknowledged: set[int] = set()
    first = 0
    for turn in range(KILLS):
        is_down = turn % 2 == 1
        if is_down:
            kafka.signal(signal.SIGSTOP)
        with running_ingest(topics, tmp_path) as ingest, sending(ingest.url + PATH, RATE_PER_S, first) as load:
            wanted = pick.randrange(1, 400)
            wait_until(lambda: len(load.sent) >= wanted, f"{wanted} answers")  # noqa: B023 - called at once
            ingest.process.kill()
        first = load.next
        acknowledged |= load.acknowledged()
        if is_down:
            kafka.signal(signal.SIGCONT)
    with running_ingest(topics, tmp_path) as ingest:
        wait_until_empty(ingest)
    in_kafka = stored(topics)
    print(f"{len(acknowledged)} acknowledged, {len(in_kafka) - len(set(in_kafka))} stored twice")  # noqa: T201
    assert len(acknowledged) > KILLS
    assert acknowledged <= set(in_kafka)


def post_all(ingest: IngestProcess, payloads: Sequence[bytes]) -> list[tuple[int, float]]:
    """Send messages, twenty at a time; return each one's status and how long it took in milliseconds."""

    def post(value: bytes) -> tuple[int, float]:
        began_s = time.monotonic()
        return ingest.post(value).status, (time.monotonic() - began_s) * 1000

    with ThreadPoolExecutor(20) as pool:
        return list(pool.map(post, payloads))


def tool(name: str, *arguments: str) -> str:
    """Return the path of a tool; skip the test where it is not there or not allowed to work."""
    found = shutil.which(name)
    if found is None or subprocess.run([found, *arguments, "true"], check=False, capture_output=True).returncode:
        pytest.skip(f"{name} is not installed, or not allowed here")
    return found


def test_a_full_disk_is_503_only_while_kafka_is_down_too(
    kafka: HarmedKafka, topics: KafkaSettings, tmp_path: Path
) -> None:
    (tmp_path / "data").mkdir()
    mount = f'mount -t tmpfs -o size=2m spool {tmp_path / "data"} && exec "$0" "$@"'
    with running_ingest(topics, tmp_path, wrapper=[tool("unshare", "-Urm"), "-Urm", "sh", "-c", mount]) as ingest:
        kafka.signal(signal.SIGSTOP)
        answers = post_all(ingest, [payload(number) + b" " * 20_000 for number in range(150)])
        assert {status for status, _ in answers} == {200, 503}
        assert max(took_ms for _, took_ms in answers) < SENDER_TIMEOUT_MS
        assert not ingest.is_ready()
        refused = [number for number, (status, _) in enumerate(answers) if status == 503]
        assert metric(ingest, "segwire_ingest_loss_risk_total") == len(refused)
        kafka.signal(signal.SIGCONT)
        wait_until_empty(ingest)
        wait_until(ingest.is_ready, "ready again")
        assert ingest.post(payload(1000)).status == 200
        wait_until_empty(ingest)  # the disk goes with the process
    acknowledged = {number for number, (status, _) in enumerate(answers) if status == 200}
    assert acknowledged | {1000} <= set(stored(topics))


def test_a_disk_that_fails_is_not_needed_while_kafka_is_there_and_used_when_it_works_again(
    kafka: HarmedKafka, topics: KafkaSettings, tmp_path: Path
) -> None:
    # The first sync is the probe of the start; while a sync fails, each second's probe is one.
    inject = ["-e", "trace=fdatasync", "-e", "inject=fdatasync:error=EIO:when=2..12"]
    strace = [tool("strace", "-qq"), "-D", "-f", "-qq", "-o", str(tmp_path / "trace"), *inject]
    with running_ingest(topics, tmp_path, wrapper=strace) as ingest:
        assert ingest.post(payload(0)).status == 200
        kafka.signal(signal.SIGSTOP)
        answers = post_all(ingest, [payload(1), payload(2)])
        assert [status for status, _ in answers] == [503, 503]
        assert max(took_ms for _, took_ms in answers) < SENDER_TIMEOUT_MS
        assert not ingest.is_ready()
        assert metric(ingest, "segwire_ingest_loss_risk_total") == 2
        wait_until(ingest.is_ready, "ready again")
        assert ingest.post(payload(3)).status == 200
        kafka.signal(signal.SIGCONT)
        wait_until_empty(ingest)
    assert {0, 3} <= set(stored(topics))
