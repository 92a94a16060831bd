"""How far a consumer group is, asked from outside of it."""

from confluent_kafka import Consumer, TopicPartition

from runtime.kafka.asking import committed
from runtime.kafka.clients import consumer_config
from runtime.settings import KafkaSettings

_TIMEOUT_S = 30.0


def group_offsets(kafka: KafkaSettings, group: str, topic: str) -> dict[int, int]:
    """Return the next offset of each partition that a group has committed. Blocks; joins nothing.

    Raises:
        KafkaException: there is no answer.
    """
    consumer = Consumer(consumer_config(kafka, group_id=group))
    try:
        partitions = consumer.list_topics(topic, timeout=_TIMEOUT_S).topics[topic].partitions
        found = committed(consumer, [TopicPartition(topic, partition) for partition in partitions], _TIMEOUT_S)
    finally:
        consumer.close()
    return {at.partition: at.offset for at in found if at.offset >= 0}
