"""Sends single records for commands: acknowledged by every in-sync replica before the command says so."""

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from runtime.errors import SegwireError, UnreachableKafkaError
from runtime.kafka.clients import producer_config
from runtime.settings import KafkaSettings


def send_one(kafka: KafkaSettings, topic: str, key: bytes, value: bytes, timeout_s: float = 30.0) -> tuple[int, int]:
    """Publish one record; return its partition and offset once every in-sync replica has it.

    Raises:
        UnreachableKafkaError: no acknowledgement came within `timeout_s`.
        SegwireError: the brokers refused it.
    """
    answers: list[KafkaError | Message] = []

    def note(error: KafkaError | None, message: Message) -> None:
        answers.append(message if error is None else error)

    producer = Producer({**producer_config(kafka, linger_ms=0), "delivery.timeout.ms": int(timeout_s * 1000)})
    try:
        producer.produce(topic, value, key, on_delivery=note)
    except KafkaException as error:
        raise SegwireError(f"topic {topic} did not take the request: {error.args[0].str()}") from None
    producer.flush(timeout_s)
    if not answers:
        raise UnreachableKafkaError(
            f"kafka.bootstrap_servers: {kafka.bootstrap_servers!r} did not acknowledge the request within "
            f"{timeout_s:g} s; see segwire doctor, and send the request again: it may be repeated"
        )
    answer = answers[0]
    if isinstance(answer, KafkaError):
        raise SegwireError(f"topic {topic} did not take the request: {answer.str()}; see segwire doctor")
    return answer.partition() or 0, answer.offset() or 0
