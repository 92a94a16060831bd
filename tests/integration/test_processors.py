"""Fan-out and membership as they are deployed: real processes, transactions on a real Kafka, state on a real disk."""

import random
import shutil
import time
from collections import Counter
from itertools import pairwise
from pathlib import Path

from schemas.avro_codec import decode_key
from schemas.dates import format_java_date
from schemas.partitioning import partition_of
from tests.support.kafka import wait_until
from tests.support.oracle import Oracle, change_of, changes_by_key, row_of, rows_by_key
from tests.support.posts import body, segment, user
from tests.support.processors import PARTITIONS, Pipeline, Service

SECOND_MS = 1000
DAY_MS = 86_400_000
NOW_MS = time.time_ns() // 1_000_000 // SECOND_MS * SECOND_MS
USER = "19393572368547369350319949416899715727"
OTHER = "0012345678901234567890123456789012345678901"


def when(at_ms: int) -> str:
    return format_java_date(at_ms)


def one_segment(aam_uuid: str, at_ms: int, status: str = "1", segment_id: str = "14356") -> bytes:
    return body(user(aam_uuid, Segments=[segment(segment_id, status, when(at_ms))]))


def traffic(seed: int, count: int) -> list[bytes]:
    """Messages of few users who change their minds often, as two or three together."""
    chance = random.Random(seed)
    users = [f"{number:038d}" for number in range(1, 30)]

    def a_user() -> dict[str, object]:
        segments = [
            segment(str(chance.randint(1, 6)), chance.choice("110"), when(NOW_MS - chance.randint(0, 900) * SECOND_MS))
            for _ in range(chance.randint(0, 4))
        ]
        return user(chance.choice(users), Segments=segments, DataPartner_UUID=f"cookie-{chance.randint(1, 40)}")

    return [body(*(a_user() for _ in range(chance.randint(1, 3)))) for _ in range(count)]


def assert_published_as_expected(pipeline: Pipeline, *, posts: int) -> None:
    """Every event was made once, and what followed is what the specification says: nothing lost, nothing twice."""
    events = pipeline.events()
    origins = [event.origin for event in events]
    assert len(set(origins)) == len(origins)
    assert len({(origin.partition, origin.offset) for origin in origins}) == posts
    oracle = Oracle(default_ttl_days=120, inactivity_days=120, ttl_days={})
    oracle.hear_all(events)
    changes, rows = pipeline.changes(), pipeline.rows()
    assert changes_by_key(map(change_of, changes)) == changes_by_key(oracle.changes)
    assert rows_by_key(map(row_of, rows)) == rows_by_key(oracle.rows)
    versions: dict[object, list[int]] = {}
    for change in changes:
        versions.setdefault(row_of(change).key, []).append(change.version)
    assert all(earlier < later for of_key in versions.values() for earlier, later in pairwise(of_key))


def test_a_post_becomes_memberships_and_a_bad_user_goes_alone_to_the_dead_letters(pipeline: Pipeline) -> None:
    pipeline.create_topics()
    pipeline.start("fan-out").wait_ready()
    pipeline.start("membership").wait_ready()
    bad = user("7", Segments=[segment(status="2")])
    post = body(
        user(USER, Segments=[segment(when=when(NOW_MS))], DataPartner_UUID="a|b", AAM_Regions=["9"]),
        bad,
        user(OTHER, Segments=[segment("mapped id", 0, when(NOW_MS))]),
        User_DPID="12345",
    )
    trace = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    pipeline.post([post], NOW_MS + 5, [("traceparent", trace), ("segwire-request-id", b"r-1")])
    pipeline.wait_processed()
    by_user = {row.aam_uuid: row for row in pipeline.rows()}
    assert sorted(by_user) == sorted([USER, OTHER])
    assert (by_user[USER].status, by_user[USER].since, by_user[USER].regions) == ("ACTIVE", NOW_MS, [9])
    assert [(partner.dpid, partner.uuid) for partner in by_user[USER].partners] == [(12345, "a|b")]
    assert (by_user[OTHER].status, by_user[OTHER].segment_id) == ("INACTIVE", "mapped id")
    (change,) = pipeline.changes()
    assert (change.aam_uuid, change.change, change.cause, change.origin.index) == (USER, "ENTERED", "QUALIFIED", 0)
    (event, _) = pipeline.read(pipeline.names.segment_events)
    assert dict(event.headers() or [])["traceparent"] == trace
    (dead,) = pipeline.read(pipeline.names.dead_letters)
    headers = dict(dead.headers() or [])
    origin = pipeline.events()[0].origin
    assert dead.value() == post
    assert (headers["stage"], headers["error"], headers["user-index"]) == (b"fan-out", b"bad-status", b"1")
    assert headers["topic"] == pipeline.names.aam_posts.encode()
    assert (headers["partition"], headers["offset"]) == (b"%d" % origin.partition, b"%d" % origin.offset)
    assert (headers["source"], headers["segwire-request-id"]) == (b"dev", b"r-1")
    assert headers["reason"]
    pipeline.stop()


def test_the_order_of_a_user_holds_and_every_user_keyed_topic_uses_the_same_partition(pipeline: Pipeline) -> None:
    pipeline.create_topics()
    pipeline.start("fan-out").wait_ready()
    pipeline.start("membership").wait_ready()
    pipeline.post(traffic(1, 100), NOW_MS)
    pipeline.wait_processed()
    assert_published_as_expected(pipeline, posts=100)
    names = pipeline.names
    for topic in (names.segment_events, names.segment_membership_changes, names.membership_state):
        for message in pipeline.read(topic):
            assert message.partition() == partition_of((message.key() or b"").decode(), PARTITIONS)
    for message in pipeline.read(names.segment_membership):
        key = decode_key(bytes(message.key() or b""))
        assert message.partition() == partition_of(key.aam_uuid, PARTITIONS)
    pipeline.stop()


def test_a_kill_in_the_middle_of_traffic_loses_nothing_and_publishes_nothing_twice(pipeline: Pipeline) -> None:
    pipeline.create_topics()
    fan_out = pipeline.start("fan-out")
    membership = pipeline.start("membership")
    for turn in range(4):
        before = pipeline.committed()
        pipeline.post(traffic(turn, 150), NOW_MS)
        # About a tenth of what is to come, so that the kill falls into the middle.
        wait_until(lambda: pipeline.committed() > before + 30, "some of it is committed")  # noqa: B023 - called at once
        membership.kill()
        if turn == 1:
            fan_out.kill()
            fan_out = pipeline.start("fan-out")
        if turn == 2:
            shutil.rmtree(pipeline.folder / "state")
        membership = pipeline.start("membership")
    pipeline.post(traffic(99, 100), NOW_MS)
    pipeline.wait_processed()
    fan_out.stop()
    membership.stop()
    assert_published_as_expected(pipeline, posts=700)


def test_a_second_process_of_the_same_ordinal_takes_over_and_the_first_says_which_ordinal(
    pipeline: Pipeline, tmp_path: Path
) -> None:
    pipeline.create_topics()
    first = pipeline.start("membership").wait_ready()
    other = tmp_path / "other"
    other.mkdir()
    second = pipeline.start("membership", other)

    def noticed() -> bool:
        """Each of its transactions is a chance to notice, unless the group tells it first."""
        pipeline.put(pipeline.names.segment_events, b"1", b"no event")
        return first.process.poll() is not None

    wait_until(noticed, "the first process ends")
    assert first.wait_end() == 1
    assert "ordinal" in first.said()
    assert "Traceback" not in first.said()
    second.wait_ready()
    second.stop()


def test_missing_topics_stop_the_start_with_what_to_do(pipeline: Pipeline) -> None:
    service = pipeline.start("fan-out")
    assert service.wait_end() == 1
    said = service.said()
    assert "Traceback" not in said
    assert f"topics are missing at {pipeline.kafka.bootstrap_servers}: {pipeline.names.aam_posts}" in said
    assert "run: segwire topics apply" in said


def test_what_is_no_event_goes_to_the_dead_letters_of_membership_and_the_line_goes_on(pipeline: Pipeline) -> None:
    pipeline.create_topics()
    events = pipeline.names.segment_events
    for value in (b"no event", b'{"kind":"segments"}', b'{"kind":"of-the-future"}'):
        pipeline.put(events, USER.encode(), value)
    pipeline.start("fan-out").wait_ready()
    pipeline.start("membership").wait_ready()
    pipeline.post([one_segment(USER, NOW_MS)], NOW_MS)
    pipeline.wait_processed()
    assert [(row.aam_uuid, row.status) for row in pipeline.rows()] == [(USER, "ACTIVE")]
    dead = pipeline.read(pipeline.names.dead_letters)
    assert [message.value() for message in dead] == [b"no event", b'{"kind":"segments"}']
    for number, message in enumerate(dead):
        headers = dict(message.headers() or [])
        assert (headers["stage"], headers["error"]) == (b"membership", b"malformed-event")
        assert (headers["topic"], headers["offset"]) == (events.encode(), b"%d" % number)
    pipeline.stop()


def test_a_membership_expires_by_itself_on_an_idle_partition_and_once(pipeline: Pipeline) -> None:
    pipeline.create_topics()
    pipeline.environment["SEGWIRE_MEMBERSHIP__DEFAULT_TTL_DAYS"] = "1"
    fan_out = pipeline.start("fan-out")
    membership = pipeline.start("membership").wait_ready()
    entered_ms = NOW_MS // DAY_MS * DAY_MS - 10 * DAY_MS + 3_600_000
    pipeline.post([one_segment(USER, entered_ms)], entered_ms + 1)
    wait_until(lambda: len(pipeline.changes()) == 2, "the membership is over")
    membership.kill()
    # Its timer comes back with the state, spent: it must not fire again.
    membership = pipeline.start("membership")
    pipeline.post([one_segment(OTHER, NOW_MS)], NOW_MS)
    wait_until(lambda: len(pipeline.changes()) == 3, "the other user came in")
    fan_out.stop()
    membership.stop()
    story = [change for change in pipeline.changes() if change.aam_uuid == USER]
    assert [(change.change, change.cause) for change in story] == [("ENTERED", "QUALIFIED"), ("EXITED", "EXPIRED")]
    expired_ms = entered_ms + 47 * 3_600_000
    assert (story[1].since, story[1].changed_at) == (expired_ms, expired_ms)
    last = [row for row in pipeline.rows() if row.aam_uuid == USER][-1]
    assert (last.status, last.cause, last.since) == ("INACTIVE", "EXPIRED", expired_ms)


def test_no_timer_overtakes_a_message_that_waits_for_fan_out(pipeline: Pipeline) -> None:
    pipeline.create_topics()
    pipeline.environment["SEGWIRE_MEMBERSHIP__DEFAULT_TTL_DAYS"] = "1"
    entered_ms = NOW_MS // DAY_MS * DAY_MS - 5 * DAY_MS
    refreshed_ms = entered_ms + DAY_MS
    pipeline.post([one_segment(USER, entered_ms)], entered_ms, appended_at=entered_ms)
    fan_out = pipeline.start("fan-out").wait_ready()
    wait_until(lambda: len(pipeline.events()) == 1, "fan-out has passed the message on")
    fan_out.stop()
    pipeline.post([one_segment(USER, refreshed_ms)], refreshed_ms, appended_at=refreshed_ms)

    membership = pipeline.start("membership").wait_ready()
    waiting = 'segwire_processor_horizon_checks_total{result="waiting"}'
    wait_until(lambda: pipeline.metric(membership, waiting) >= 3, "timers were held back")
    assert [change.change for change in pipeline.changes()] == ["ENTERED"]

    fan_out = pipeline.start("fan-out")
    wait_until(lambda: len(pipeline.changes()) == 2, "the membership is over")
    pipeline.stop()
    assert [(c.change, c.since) for c in pipeline.changes()] == [
        ("ENTERED", entered_ms), ("EXITED", refreshed_ms + 2 * DAY_MS),
    ]  # fmt: skip


def segment_sizes(pipeline: Pipeline) -> Counter[str]:
    last = {row_of(row).key: row for row in pipeline.rows()}
    return Counter(row.segment_id for row in last.values() if row.status == "ACTIVE")


def wait_sizes(pipeline: Pipeline, services: list[Service], segments: str) -> None:
    """Wait until the services together tell the size of each segment as the rows do."""
    pipeline.wait_processed()
    sizes = segment_sizes(pipeline)
    assert all(sizes[segment_id] for segment_id in segments)

    def told() -> dict[str, float]:
        name = "segwire_membership_segment_active"
        return {
            each: sum(pipeline.metric(service, f'{name}{{segment="{each}"}}') for service in services)
            for each in segments
        }

    wait_until(lambda: told() == {each: sizes[each] for each in segments}, f"{sizes} and no other")


def test_sizes_of_segments_are_right_after_a_kill_with_another_setting_and_over_two_processes(
    pipeline: Pipeline,
) -> None:
    pipeline.create_topics()
    pipeline.start("fan-out").wait_ready()
    killed = pipeline.start("membership", SEGWIRE_MEMBERSHIP__METRICS_SEGMENTS='["1", "2"]')
    pipeline.post(traffic(1, 150), NOW_MS)
    wait_until(lambda: pipeline.committed() > 30, "some of it is committed")
    killed.kill()
    before = pipeline.start("membership", SEGWIRE_MEMBERSHIP__METRICS_SEGMENTS='["1", "2"]').wait_ready()
    wait_sizes(pipeline, [before], "12")
    before.stop()
    one = pipeline.start("membership", SEGWIRE_MEMBERSHIP__METRICS_SEGMENTS='["1", "3"]').wait_ready()
    wait_sizes(pipeline, [one], "13")
    elsewhere = pipeline.folder / "elsewhere"  # so it has nothing but the changelog
    elsewhere.mkdir()
    more = {"SEGWIRE_MEMBERSHIP__METRICS_SEGMENTS": '["1", "3"]', "SEGWIRE_MEMBERSHIP__ORDINAL": "1"}
    other = pipeline.start("membership", elsewhere, **more).wait_ready()
    assigned = 'segwire_processor_assigned_partitions{processor="membership"}'
    wait_until(lambda: all(pipeline.metric(service, assigned) for service in (one, other)), "both have partitions")
    pipeline.post(traffic(7, 50), NOW_MS)
    wait_sizes(pipeline, [one, other], "13")
    assert pipeline.metric(one, "segwire_membership_visible_seconds_count") > 0
    for service in (one, other):
        assert pipeline.metric(service, 'segwire_membership_segment_active{segment="1"}') > 0
    pipeline.stop()
