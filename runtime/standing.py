"""Whether the group still knows this process as the member to which it gave its partitions.

A process that stood still for longer than its session is expelled, and others process its partitions. With incremental
rebalances the client then joins anew, as another member, and may go on with the partitions that it had, without a
word: their local state is stale, while the new membership makes its commits valid (invariant I3). What gives it away is
the member ID, which a group never gives twice.
"""

from confluent_kafka import Consumer


class Standing:
    """Remembers the member ID under which partitions are held."""

    def __init__(self, consumer: Consumer) -> None:
        """Watch the membership of `consumer`."""
        self._consumer = consumer
        self._member: str | None = None

    def begin(self) -> None:
        """Partitions come to us who held none: they are held under the present member ID."""
        self._member = self._consumer.memberid()

    def is_lost(self) -> bool:
        """Tell whether the group has forgotten the member that holds the partitions."""
        return self._consumer.memberid() != self._member
