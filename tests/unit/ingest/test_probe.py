import asyncio

import pytest

from ingest.circuit import Circuit, CircuitLimits, Event, KafkaState, after
from ingest.probe import Probe


class FakeCluster:
    """Answers with the given topics, one after the other; the last for ever."""

    def __init__(self, *answers: set[str] | None) -> None:
        self.answers = list(answers)

    def topics(self, timeout_s: float) -> set[str] | None:
        assert timeout_s > 0
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


class Keeper:
    """Keeps the circuit."""

    def __init__(self) -> None:
        self.circuit = Circuit()

    def observe(self, event: Event, reason: str | None = None) -> None:
        self.circuit = after(self.circuit, event, 0, CircuitLimits(), reason)

    def tick(self) -> None:
        pass


class QuickClock:
    """A second goes by each time it is read."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def now_ms(self) -> int:
        return int(self.now_s * 1000)

    def monotonic_s(self) -> float:
        self.now_s += 1
        return self.now_s


def first_contact(*answers: set[str] | None) -> Circuit:
    keeper = Keeper()
    probe = Probe(FakeCluster(*answers), keeper, ["aam-posts", "dead-letters"], QuickClock())
    asyncio.run(probe.first_contact(5))
    return keeper.circuit


@pytest.mark.parametrize(
    "answers", [({"aam-posts", "dead-letters", "x"},), (None, None, {"aam-posts", "dead-letters"})]
)
def test_a_kafka_with_the_topics_is_relied_upon_from_the_start(answers: tuple[set[str] | None, ...]) -> None:
    assert first_contact(*answers).state is KafkaState.OK


def test_no_kafka_is_not_waited_for_for_ever() -> None:
    assert first_contact(None).state is KafkaState.DOWN


def test_missing_topics_are_down_and_named_with_the_command_that_creates_them() -> None:
    circuit = first_contact({"aam-posts"})
    assert circuit.state is KafkaState.DOWN
    assert circuit.reason == "the topics dead-letters do not exist; create them: segwire topics apply"


def test_topics_that_are_made_later_are_found() -> None:
    async def scenario() -> KafkaState:
        keeper = Keeper()
        cluster = FakeCluster({"aam-posts"}, {"aam-posts", "dead-letters"})
        probe = Probe(cluster, keeper, ["aam-posts", "dead-letters"], QuickClock())
        await probe.ask()
        await probe.ask()
        return keeper.circuit.state

    assert asyncio.run(scenario()) is KafkaState.OK
