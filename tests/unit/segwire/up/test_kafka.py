"""`--kafka`, and what is done when our own Kafka dies."""

from collections.abc import Callable, Sequence

import pytest

from runtime.errors import ConfigurationError, SegwireError
from runtime.settings import KafkaSettings
from schemas.topics import TOPICS, Topic
from segwire.up.kafka import KafkaKeeper, apply_topics_of_ours, check_kafka_option, keep_kafka
from segwire.up.restart import RestartPolicy
from tests.support.up import ManualClock, Told

POLICY = RestartPolicy(first_delay_ms=100, delay_max_ms=100, quick_failures_max=3)


class FakeKafka:
    """Dies when told to; each of its starts may fail, or move to another port."""

    def __init__(self) -> None:
        self.code: int | None = None
        self.address = "127.0.0.1:1"
        self.failures = 0
        self.calls: list[str] = []

    @property
    def bootstrap_servers(self) -> str:
        return self.address

    def start(self) -> None:
        self.calls.append("start")
        if self.failures:
            self.failures -= 1
            raise SegwireError("no room")
        self.code = None

    def poll(self) -> int | None:
        return self.code

    def stop(self) -> None:
        self.calls.append("stop")


class Done:
    """Work that is done before anybody asks."""

    def __init__(self, work: Callable[[], None]) -> None:
        self._error: SegwireError | None = None
        try:
            work()
        except SegwireError as error:
            self._error = error

    def done(self) -> bool:
        return True

    def result(self) -> None:
        if self._error is not None:
            raise self._error


@pytest.mark.parametrize("value", ["testcontainers", "a:1", "a.b-c:65535", "10.0.0.1:9092,[::1]:9093"])
def test_addresses_and_testcontainers_are_taken(value: str) -> None:
    assert check_kafka_option(value) == value


def test_blanks_between_addresses_are_no_error() -> None:
    assert check_kafka_option("a:1, b:2") == "a:1,b:2"


@pytest.mark.parametrize("value", ["", "a", "a:", "a:0", "a:65536", "a:b", "a:1,", "http://a:1", "container"])
def test_anything_else_is_a_usage_error_that_says_what_to_give(value: str) -> None:
    with pytest.raises(ConfigurationError, match=r"HOST:PORT\[,HOST:PORT…\], or testcontainers"):
        check_kafka_option(value)


def _started() -> tuple[FakeKafka, KafkaKeeper, ManualClock, Told]:
    kafka, clock, told = FakeKafka(), ManualClock(), Told()
    keeper = keep_kafka(kafka, POLICY, clock, told, Done)
    keeper.start()
    return kafka, keeper, clock, told


def test_topics_are_tried_again_while_a_broker_is_not_yet_let_in(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = ManualClock()
    answers: list[SegwireError | list[str]] = [SegwireError("fenced"), SegwireError("fenced"), ["made"]]

    def apply(_kafka: KafkaSettings, _topics: Sequence[Topic]) -> list[str]:
        answer = answers.pop(0)
        if isinstance(answer, SegwireError):
            raise answer
        return answer

    monkeypatch.setattr("segwire.up.kafka.apply_topics", apply)
    done = apply_topics_of_ours(KafkaSettings(), TOPICS, clock, lambda s: clock.advance_ms(int(s * 1000)))
    assert done == ["made"]


@pytest.mark.parametrize("error", [SegwireError("no disk"), ConfigurationError("12 partitions, not 6")])
def test_topics_that_cannot_be_made_end_the_start(monkeypatch: pytest.MonkeyPatch, error: SegwireError) -> None:
    clock = ManualClock()

    def apply(_kafka: KafkaSettings, _topics: Sequence[Topic]) -> list[str]:
        raise error

    monkeypatch.setattr("segwire.up.kafka.apply_topics", apply)
    began_s = clock.monotonic_s()
    with pytest.raises(SegwireError, match=str(error)):
        apply_topics_of_ours(KafkaSettings(), TOPICS, clock, lambda s: clock.advance_ms(int(s * 1000)))
    waited_s = clock.monotonic_s() - began_s
    assert (waited_s == 0) == isinstance(error, ConfigurationError)


def test_dead_kafka_is_started_again_after_its_delay() -> None:
    kafka, keeper, clock, told = _started()
    kafka.code = 1
    keeper.tick()
    assert (keeper.view().state, kafka.calls) == ("waiting", ["start"])
    clock.advance_ms(100)
    keeper.tick()
    assert keeper.view().state == "starting"
    keeper.tick()
    assert kafka.calls == ["start", "stop", "start"]
    assert (keeper.view().state, keeper.view().restarts) == ("ready", 1)
    assert told.problems == ["Kafka ended with exit code 1; it starts again on the same port and data"]


def test_another_server_takes_the_place_of_the_dead_one_at_its_address() -> None:
    first, second, clock, asked = FakeKafka(), FakeKafka(), ManualClock(), list[str]()

    def make(address: str) -> FakeKafka:
        asked.append(address)
        return second

    keeper = keep_kafka(first, POLICY, clock, Told(), Done, make)
    keeper.start()
    first.code = 1
    keeper.tick()
    clock.advance_ms(100)
    keeper.tick()
    keeper.tick()
    assert (asked, first.calls, second.calls) == (["127.0.0.1:1"], ["start", "stop"], ["start"])
    assert keeper.view().state == "ready"


def test_kafka_that_cannot_be_started_again_is_given_up_with_its_reason() -> None:
    kafka, keeper, clock, _ = _started()
    kafka.code, kafka.failures = 1, 9
    keeper.tick()
    clock.advance_ms(100)
    keeper.tick()
    keeper.tick()
    clock.advance_ms(100)
    keeper.tick()
    with pytest.raises(SegwireError, match="could not be started again: no room"):
        keeper.tick()


def test_kafka_on_another_port_is_no_use_to_running_clients() -> None:
    kafka, keeper, clock, told = _started()
    kafka.code, kafka.address = 1, "127.0.0.1:2"
    keeper.tick()
    clock.advance_ms(100)
    keeper.tick()
    keeper.tick()
    assert keeper.view().state == "waiting"
    assert keeper.address == "127.0.0.1:1"
    assert "found its port taken" in told.problems[-1]
