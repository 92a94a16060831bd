"""From what the client hands out to what processors take."""

from confluent_kafka import Message

from runtime.processor import InputRecord


def input_record(message: Message, partition: int, offset: int) -> InputRecord:
    """Return a message without an error as a record; its place is asked for by whoever has to look at it anyway."""
    return InputRecord(
        partition, offset, message.key(), message.value(), message.headers(), message.timestamp()[1]  # type: ignore[arg-type]
    )  # fmt: skip
