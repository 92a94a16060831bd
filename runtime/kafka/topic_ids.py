"""Which topic a name means now: Kafka gives each topic an ID, and another to one that was deleted and made anew."""

from confluent_kafka import KafkaException, TopicCollection

from runtime.errors import SegwireError
from runtime.kafka.clients import admin_client
from runtime.settings import KafkaSettings

_TIMEOUT_S = 30.0


def topic_id(kafka: KafkaSettings, topic: str) -> str:
    """Return the ID of a topic. Blocks. Source: KIP-516.

    Raises:
        SegwireError: the cluster does not tell.
    """
    admin = admin_client(kafka)
    try:
        described = admin.describe_topics(TopicCollection([topic]), request_timeout=_TIMEOUT_S)[topic].result()
    except KafkaException as error:
        raise SegwireError(
            f"{topic}: {kafka.bootstrap_servers} does not describe it ({error.args[0].str()}); see that it is there "
            "and that we may describe it"
        ) from error
    return str(described.topic_id)
