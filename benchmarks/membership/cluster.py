"""What the benchmark does with the broker: topics, groups, how far a group has committed."""

import contextlib
import time

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

PARTITIONS = 4
_TIMEOUT_S = 60.0


class Cluster:
    """The broker of a run."""

    def __init__(self, bootstrap_servers: str) -> None:
        self.bootstrap_servers = bootstrap_servers
        self._admin = AdminClient({"bootstrap.servers": bootstrap_servers, "log_level": 0})
        self._asking: dict[str, Consumer] = {}

    def create(self, topic: str, cleanup: str = "compact") -> None:
        """Create a topic; waits for one of that name to be gone."""
        deadline_s = time.monotonic() + _TIMEOUT_S
        while True:
            new = NewTopic(topic, PARTITIONS, 1, config={"cleanup.policy": cleanup})
            try:
                self._admin.create_topics([new])[topic].result(_TIMEOUT_S)
            except KafkaException as error:
                if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS or time.monotonic() > deadline_s:
                    raise
                time.sleep(0.2)
            else:
                return

    def delete(self, *prefixes: str, keep: str = "") -> None:
        """Delete the topics and groups whose names begin with one of `prefixes`, but for the topic `keep`."""
        groups = [g.group_id for g in self._admin.list_consumer_groups().result(_TIMEOUT_S).valid]
        doomed = [name for name in groups if name.startswith(prefixes)]
        # A static member that has ended counts until its session is over; until then its group cannot be deleted.
        deadline_s = time.monotonic() + _TIMEOUT_S
        while doomed and time.monotonic() < deadline_s:
            for name, future in self._admin.delete_consumer_groups(doomed).items():
                with contextlib.suppress(KafkaException):
                    future.result(_TIMEOUT_S)
                    doomed = [other for other in doomed if other != name]
            time.sleep(0.5 if doomed else 0)
        topics = [name for name in self._topics() if name.startswith(prefixes) and name != keep]
        for future in self._admin.delete_topics(topics).values() if topics else ():
            future.result(_TIMEOUT_S)
        deadline_s = time.monotonic() + _TIMEOUT_S
        while set(topics) & set(self._topics()) and time.monotonic() < deadline_s:
            time.sleep(0.1)

    def committed(self, group: str, topic: str) -> int:
        """Return how many records of `topic` the group has committed."""
        # Asked by a member that never joins: the admin client's own question has crashed librdkafka under load.
        if group not in self._asking:
            config = {"bootstrap.servers": self.bootstrap_servers, "group.id": group, "log_level": 0}
            self._asking[group] = Consumer(config)
        try:
            found = self._asking[group].committed([TopicPartition(topic, n) for n in range(PARTITIONS)], _TIMEOUT_S)
        except KafkaException:
            return 0
        return sum(max(0, tp.offset) for tp in found)

    def _topics(self) -> list[str]:
        return list(self._admin.list_topics(timeout=_TIMEOUT_S).topics)
