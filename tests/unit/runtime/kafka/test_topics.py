"""How topics are created where the answer is late, without Kafka."""

from concurrent.futures import Future
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import NewTopic

from runtime.errors import SegwireError
from runtime.kafka import topics
from runtime.kafka.topics import TopicState, apply_topics
from runtime.settings import KafkaSettings
from schemas.topics import TOPICS

LATE, THERE = KafkaError._TIMED_OUT, KafkaError.TOPIC_ALREADY_EXISTS


class Admin:
    """Answers each time it is asked to create a topic as the test says; 0: created."""

    def __init__(self, *answers: int) -> None:
        self.answers = list(answers)
        self.looks = 0

    def create_topics(self, new: list[NewTopic], **limits_s: float) -> dict[str, Future[None]]:
        assert max(limits_s.values()) <= topics._TRY_S
        return {topic.topic: self._answer(self.answers.pop(0)) for topic in new}

    def list_topics(self, timeout: float) -> None:  # noqa: ARG002
        self.looks += 1
        raise KafkaException(KafkaError(KafkaError._TRANSPORT))

    @staticmethod
    def _answer(code: int) -> Future[None]:
        future: Future[None] = Future()
        if code:
            future.set_exception(KafkaException(KafkaError(code)))
        else:
            future.set_result(None)
        return future


@pytest.fixture
def create(monkeypatch: pytest.MonkeyPatch) -> Any:
    def create(admin: Admin) -> list[str]:
        state = TopicState(topic=TOPICS[0], name="a", partitions=0, replication_factor=0, settings={}, wanted={})
        monkeypatch.setattr(topics, "describe_topics", lambda *_: [state])
        monkeypatch.setattr(topics, "admin_client", lambda _: admin)
        return [line.partition(":")[0] for line in apply_topics(KafkaSettings())]

    return create


@pytest.mark.parametrize(
    ("answers", "created"), [([0], ["a"]), ([THERE], []), ([LATE, 0], ["a"]), ([LATE, LATE, THERE], ["a"])]
)
def test_a_topic_whose_answer_is_late_is_asked_for_again(create: Any, answers: list[int], created: list[str]) -> None:
    admin = Admin(*answers)
    assert create(admin) == created
    assert admin.answers == []
    assert admin.looks == len(answers) - 1


def test_an_answer_that_never_comes_is_an_error_in_the_end(create: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(topics, "_CREATE_S", topics._TRY_S)
    with pytest.raises(SegwireError, match=r"topic a cannot be created: .*; see that the brokers are healthy"):
        create(Admin(LATE))


def test_a_refusal_is_told_with_its_remedy_and_not_asked_again(create: Any) -> None:
    with pytest.raises(SegwireError, match=r"set kafka.replication_factor to at most the number of brokers"):
        create(Admin(KafkaError.INVALID_REPLICATION_FACTOR))
