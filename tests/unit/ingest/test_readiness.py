import pytest

from ingest.readiness import Readiness, wait_for_topics
from runtime.errors import SegwireError, UnreachableKafkaError
from runtime.service import StopSignal
from runtime.settings import KafkaSettings

KAFKA = KafkaSettings(bootstrap_servers="broker:9092", topic_prefix="p.")


class FakeCluster:
    """Answers with the given topics, one after the other; the last for ever."""

    def __init__(self, *answers: set[str] | None) -> None:
        self.answers = list(answers)
        self.asked_s: list[float] = []

    def topics(self, timeout_s: float) -> set[str] | None:
        self.asked_s.append(timeout_s)
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


class QuickClock:
    """A second goes by each time it is read."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def now_ms(self) -> int:
        return int(self.now_s * 1000)

    def monotonic_s(self) -> float:
        self.now_s += 1
        return self.now_s


def wait(cluster: FakeCluster, stop: StopSignal | None = None) -> bool:
    return wait_for_topics(cluster, KAFKA, stop or StopSignal(), QuickClock())


def test_it_is_ready_when_kafka_knows_both_topics() -> None:
    assert wait(FakeCluster({"p.aam-posts", "p.dead-letters", "other"}))


def test_a_broker_that_comes_up_late_is_waited_for() -> None:
    assert wait(FakeCluster(None, None, {"p.aam-posts", "p.dead-letters"}))


def test_missing_topics_are_named_with_the_command_that_creates_them() -> None:
    with pytest.raises(SegwireError, match=r"p\.dead-letters do not exist at 'broker:9092'.*segwire topics apply"):
        wait(FakeCluster({"p.aam-posts", "dead-letters"}))


def test_no_broker_is_an_error_that_names_the_address() -> None:
    with pytest.raises(UnreachableKafkaError, match=r"no broker answered at 'broker:9092' within 10 s.*check"):
        wait(FakeCluster(None))


def test_a_stop_ends_the_wait() -> None:
    stop = StopSignal()
    stop.set()
    assert not wait(FakeCluster(None), stop)


def test_the_reason_follows_the_life_of_the_service() -> None:
    readiness = Readiness()
    assert "starting" in (readiness.reason() or "")
    reasons = [None, "Kafka is away"]
    readiness.serving(lambda: reasons[0])
    assert readiness.reason() is None
    reasons.pop(0)
    assert readiness.reason() == "Kafka is away"
    readiness.draining()
    assert "draining" in (readiness.reason() or "")
