"""The model's judgement does not depend on the order of arrival, nor on how often a message arrives."""

from itertools import combinations
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from segwire.simulator.message import Message, Statement
from segwire.simulator.model import Expectation, Key, Model
from segwire.simulator.traffic import Traffic
from tests.support.simulation import plan

STATEMENTS = st.builds(
    Statement,
    aam_uuid=st.sampled_from(["1" * 38, "2" * 38]),
    segment_id=st.sampled_from(["10", "11"]),
    active=st.booleans(),
    at_s=st.integers(1, 6),
)
SAID = st.lists(STATEMENTS, max_size=4).map(tuple)
FATES = st.lists(st.tuples(SAID, st.booleans()), max_size=7)


def messages(fates: list[tuple[tuple[Statement, ...], bool]]) -> list[tuple[Message, bool]]:
    return [(Message(n, "visit", 0.0, "423", said, b""), certain) for n, (said, certain) in enumerate(fates)]


def judged(sent: list[tuple[Message, bool]]) -> dict[Key, Expectation]:
    model = Model()
    for message, acknowledged in sent:
        (model.acknowledged if acknowledged else model.unacknowledged)(message)
    return dict(model.expectations())


def outcome(arrived: list[Message]) -> dict[Key, bool]:
    """Apply messages one after the other as the wire format tells a receiver to: who is in what at the end."""
    state: dict[Key, tuple[int, bool]] = {}
    for message in arrived:
        for said in message.statements:
            key = (message.destination_id, said.aam_uuid, said.segment_id)
            at_s, _ = state.get(key, (0, False))
            if said.at_s > at_s or (said.at_s == at_s and not said.active):
                state[key] = (said.at_s, said.active)
    return {key: active for key, (_, active) in state.items()}


@given(FATES, st.data())
def test_order_and_repetition_change_nothing(
    fates: list[tuple[tuple[Statement, ...], bool]], data: st.DataObject
) -> None:
    sent = messages(fates)
    repeated = sent + data.draw(st.lists(st.sampled_from(sent))) if sent else sent
    assert judged(data.draw(st.permutations(repeated))) == judged(sent)


@given(FATES)
def test_what_is_allowed_is_exactly_what_some_arrival_of_the_unacknowledged_leads_to(
    fates: list[tuple[tuple[Statement, ...], bool]],
) -> None:
    sent = messages(fates)
    certain = [message for message, acknowledged in sent if acknowledged]
    possible = [message for message, acknowledged in sent if not acknowledged]
    outcomes = [
        outcome([*certain, *arrived]) for n in range(len(possible) + 1) for arrived in combinations(possible, n)
    ]
    for key, expected in judged(sent).items():
        seen = {result.get(key) for result in outcomes}
        allowed = {True: expected.may_be_active, False: expected.may_be_inactive, None: expected.may_be_absent}
        assert {status for status, is_allowed in allowed.items() if is_allowed} == seen


@given(st.integers(0, 2**32))
def test_simulated_traffic_means_the_same_in_any_order(seed: int) -> None:
    sent = [(message, True) for message in Traffic(plan(seed=seed, duration_s=2.0, users=20, batch_every_s=0.5))]
    shuffled = sent + sent[::3]
    Random(seed).shuffle(shuffled)
    assert judged(shuffled) == judged(sent)
    in_order = outcome([message for message, _ in sent])
    assert {key: expected.may_be_active for key, expected in judged(sent).items()} == in_order
