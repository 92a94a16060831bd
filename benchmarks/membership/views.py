"""The published views, read back and compared: the last row of each membership."""

from collections.abc import Iterator

from confluent_kafka import Consumer, KafkaError, TopicPartition

View = dict[int, bool]
"""Hash of a membership's name -> whether it is active."""

_FRAME_BYTES = 5


def read_view(bootstrap_servers: str, topic: str, *, avro: bool) -> View:
    """Return the view in a topic, from committed records alone."""
    entry = _avro_row if avro else _json_row
    view: View = {}
    for key, value in _records(bootstrap_servers, topic):
        name, active = entry(key, value)
        view[hash(name)] = active
    return view


def differences(view: View, reference: View) -> str:
    """Say in words how a view differs from the reference."""
    lost = len(reference.keys() - view.keys())
    phantom = len(view.keys() - reference.keys())
    wrong = sum(view[name] != reference[name] for name in view.keys() & reference.keys())
    return "equal" if not lost + phantom + wrong else f"{lost} lost, {phantom} phantom, {wrong} wrong"


def _avro_row(key: bytes, value: bytes) -> tuple[str, bool]:
    # The key is the four names, each with its length; a value begins with its frame and its key, then the status.
    names, at = [], 0
    while at < len(key):
        size = key[at] >> 1
        names.append(key[at + 1 : at + 1 + size].decode())
        at += 1 + size
    return "|".join(names), value[_FRAME_BYTES + len(key)] == 0


def _json_row(key: bytes, value: bytes) -> tuple[str, bool]:
    return key.decode(), value.startswith(b'{"status":"ACTIVE"')


def _records(bootstrap_servers: str, topic: str) -> Iterator[tuple[bytes, bytes]]:
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap_servers,
            "group.id": "benchmark-reader",
            "enable.auto.commit": False,
            "isolation.level": "read_committed",
            "enable.partition.eof": True,
            "fetch.queue.backoff.ms": 10,
        }
    )
    partitions = list(consumer.list_topics(topic, 30).topics[topic].partitions)
    consumer.assign([TopicPartition(topic, partition, 0) for partition in partitions])
    left = set(partitions)
    try:
        while left:
            for message in consumer.consume(5000, 1.0):
                error = message.error()
                if error is None:
                    yield message.key(), message.value()  # type: ignore[misc]
                elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - the client's public name for it
                    left.discard(message.partition())
                else:
                    raise RuntimeError(f"{topic} cannot be read: {error.str()}")
    finally:
        consumer.close()
