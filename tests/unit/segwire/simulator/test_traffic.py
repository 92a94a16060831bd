import re
from collections import Counter, defaultdict
from functools import cache
from itertools import islice, pairwise

import pytest

from schemas.post import Post
from schemas.post_reading import parse_post
from segwire.simulator.message import Message
from segwire.simulator.population import segment_id
from segwire.simulator.traffic import Traffic
from tests.support.simulation import CLIENT, START_MS, plan

START_S = START_MS // 1000


@cache
def sent() -> tuple[Message, ...]:
    return tuple(Traffic(plan()))


@cache
def read() -> tuple[Post, ...]:
    return tuple(parse_post(message.body) for message in sent())


def of_kind(kind: str) -> list[Message]:
    return [message for message in sent() if message.kind == kind]


def some_body_has(pattern: bytes) -> bool:
    return any(re.search(pattern, message.body) for message in sent())


def test_same_plan_makes_the_same_messages() -> None:
    assert tuple(Traffic(plan())) == sent()


def test_another_seed_makes_other_messages() -> None:
    assert [m.body for m in Traffic(plan(seed=8))] != [m.body for m in sent()]


@pytest.mark.parametrize("dates", ["java", "iso", "epoch-ms", "mixed"])
def test_every_message_says_on_the_wire_what_it_states(dates: str) -> None:
    for message in Traffic(plan(dates=dates, duration_s=10.0)):
        post = parse_post(message.body)
        told = [
            (user.aam_uuid, said.segment_id, said.status == "ACTIVE", said.verified_at)
            for user in post.users
            for said in user.segments
        ]
        assert told == [(s.aam_uuid, s.segment_id, s.active, s.at_s * 1000) for s in message.statements]
        assert (post.client_id, post.destination_id) == (CLIENT, message.destination_id)


def test_no_message_is_bad_input() -> None:
    assert all(post.problem is None and not post.bad_users for post in read())


def test_the_rate_is_kept_with_batches_on_top() -> None:
    assert len(sent()) - len(of_kind("batch")) == 100 * 40
    planned = [message.planned_s for message in sent()]
    assert planned == sorted(planned)
    assert [message.number for message in sent()] == list(range(len(sent())))


@pytest.mark.parametrize("kind", ["visit", "late", "stale", "tie", "repeat", "batch"])
def test_every_kind_is_sent(kind: str) -> None:
    assert len(of_kind(kind)) >= 10


def test_a_plan_without_a_duration_is_endless() -> None:
    assert len(list(islice(Traffic(plan(duration_s=None)), 10_000))) == 10_000


def test_without_batches_there_are_none() -> None:
    assert {message.kind for message in Traffic(plan(batch_every_s=0.0))}.isdisjoint({"batch"})


def test_a_short_run_has_late_messages_too() -> None:
    assert any(message.kind == "late" for message in Traffic(plan(duration_s=1.0)))


def test_late_messages_are_overtaken_by_newer_ones_of_the_same_membership() -> None:
    newest: dict[tuple[str, str, str], int] = {}
    overtaken = Counter[str]()
    for message in sent():
        for said in message.statements:
            key = (message.destination_id, said.aam_uuid, said.segment_id)
            overtaken[message.kind] += said.at_s < newest.get(key, 0)
            newest[key] = max(said.at_s, newest.get(key, 0))
    assert overtaken["late"] >= 10
    assert overtaken["stale"] >= 10


def test_repeats_are_earlier_bytes_again() -> None:
    before: set[bytes] = set()
    again = Counter[str]()
    for message in sent():
        again[message.kind] += message.body in before
        before.add(message.body)
    assert again["repeat"] >= 0.9 * len(of_kind("repeat"))


def test_some_memberships_are_told_both_ways_as_of_one_second() -> None:
    told = defaultdict(set)
    for message in sent():
        for said in message.statements:
            told[message.destination_id, said.aam_uuid, said.segment_id, said.at_s].add(said.active)
    assert sum(len(ways) == 2 for ways in told.values()) >= 10


def test_batches_hold_up_to_ten_users_and_come_as_a_spike() -> None:
    users = [len(post.users) for post, message in zip(read(), sent(), strict=True) if message.kind == "batch"]
    assert max(users) == 10
    assert {int(message.planned_s) for message in of_kind("batch")} <= {15, 16, 30, 31}


def test_batches_hold_only_what_changed_since_the_last() -> None:
    for message in of_kind("batch"):
        since_s = START_S + (0 if message.planned_s < 30 else 15)
        recent = [said.at_s >= since_s for said in message.statements]
        # A tie dates a disqualification back to the qualification that it contradicts.
        assert sum(recent) >= 0.8 * len(recent)


def test_batches_repeat_what_real_time_messages_said() -> None:
    real_time = {(m.destination_id, said) for m in sent() if m.kind != "batch" for said in m.statements}
    in_batches = [(m.destination_id, said) for m in of_kind("batch") for said in m.statements]
    assert sum(told in real_time for told in in_batches) > len(in_batches) / 2


def test_some_users_are_in_no_segment() -> None:
    assert any(not user.segments for post in read() for user in post.users)


def test_some_memberships_are_left_and_some_never_entered() -> None:
    ways = defaultdict(set)
    for message in sent():
        for said in message.statements:
            ways[message.destination_id, said.aam_uuid, said.segment_id].add(said.active)
    assert {frozenset(told) for told in ways.values()} == {
        frozenset({True}),
        frozenset({False}),
        frozenset({True, False}),
    }


def test_users_have_several_partner_ids_of_several_data_sources() -> None:
    partners = defaultdict(set)
    for post in read():
        for user in post.users:
            partners[user.aam_uuid].add(user.partner)
    found = {partner for ids in partners.values() for partner in ids}
    assert {None, 12345, 12346, 20914, 20915, 963906} <= {None if p is None else p.dpid for p in found}
    assert max(len(ids) for ids in partners.values()) >= 5


def test_some_owners_limit_ad_tracking() -> None:
    assert any(user.all_zero_id for message in Traffic(plan(users=3000)) for user in parse_post(message.body).users)


def test_few_users_make_much_of_the_traffic() -> None:
    seen = Counter(user.aam_uuid for post in read() for user in post.users)
    most_active = sum(count for _, count in seen.most_common(30))
    assert most_active > 0.3 * seen.total()
    assert len(seen) > 150


@pytest.mark.parametrize(
    "shape",
    [
        rb'"AAM_UUID":[1-9][0-9]{37}',
        rb'"AAM_UUID":"0[0-9]{42}"',
        rb'"Segment_ID":[0-9]',
        rb'"Segment_ID":"[0-9]',
        rb'"Segment_ID":"vip\|',
        rb'"Status":0',
        rb'"Status":"0"',
        rb'\{"Segment_ID":"?[0-9]+"?,"DateTime"',
        rb'"AAM_Destination_ID":',
        rb'"AAM_Destination_Id":[0-9]',
        rb'"Client_ID":[0-9]',
        rb'"DataPartner_UUID":[0-9]',
        rb'"DataPartner_UUID":""',
        rb'"DataPartner_UUID":"crm\|',
        rb'"AAM_Regions":\[[0-9]',
        rb'"AAM_Regions":\["',
        rb'"DateTime":"[A-Z][a-z]{2} [A-Z][a-z]{2} [0-9]{2} [0-9:]{8} UTC 2025"',
    ],
)
def test_every_shape_that_senders_use_is_sent(shape: bytes) -> None:
    assert some_body_has(shape)


def test_numbers_have_no_leading_zero() -> None:
    assert not some_body_has(rb'"[A-Za-z_]+":0[0-9]')


def test_dates_are_not_in_the_future() -> None:
    for message in sent():
        latest_s = START_S + message.planned_s
        assert all(said.at_s <= latest_s for said in message.statements)


def test_dates_are_well_within_the_default_time_to_live() -> None:
    assert min(said.at_s for message in sent() for said in message.statements) > START_S - 30 * 86_400


def test_messages_stay_short_however_active_a_user_is() -> None:
    longest = max(len(m.statements) for m in Traffic(plan(users=1, segments=500, batch_every_s=0.0)))
    assert longest <= 60


def test_a_world_of_one_user_and_one_segment_works() -> None:
    assert len(list(Traffic(plan(users=1, segments=1, destinations=1, duration_s=2.0)))) == 200


def test_segment_ids_are_distinct() -> None:
    assert len({segment_id(number) for number in range(1000)}) == 1000


def test_planned_moments_are_evenly_spaced_at_the_rate() -> None:
    moments = [message.planned_s for message in sent() if message.kind != "batch"]
    assert all(abs(later - earlier - 0.01) < 1e-6 for earlier, later in pairwise(moments))
