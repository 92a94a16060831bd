"""Which partition the next batch goes to. Time comes in as a number.

Of one partition an idempotent producer sends the next batch only when the last is acknowledged, and while one waits for
that longer than it lingers, librdkafka's thread asks the clock without end. So each batch goes to a partition of which
nothing is unacknowledged. One without a leader is left out by the same rule, as it keeps what it was given first.
"""

from itertools import chain
from typing import Final

ANY: Final = -1
"""The client chooses."""


class Partitions:
    """The partitions of one topic, none before `become`, and how many records of each are unacknowledged.

    `choose` and `become` are for one thread, `ended` for one other.
    """

    __slots__ = ("_batch_s", "_count", "_current", "_ended", "_last", "_sent", "_until_s")

    def __init__(self, batch_s: float) -> None:
        """Change partitions when a batch is `batch_s` old: by then it is sent."""
        self._batch_s = batch_s
        self._count = 0
        # Each is changed by one thread alone. The last place is that of ANY, and says nothing.
        self._sent: list[int] = [0]
        self._ended: list[int] = [0]
        self._current: int = ANY
        self._last: int = ANY
        self._until_s = 0.0

    def become(self, count: int) -> None:
        """Take note of how many there are."""
        more = [0] * (count + 1 - len(self._sent))
        self._ended[-1:-1], self._sent[-1:-1] = more, more
        self._count = count
        self._until_s = 0.0

    def choose(self, now_s: float) -> int:
        """Return where a record that is sent now goes, ANY where all have something unacknowledged."""
        if now_s >= self._until_s:
            self._current = self._next_free()
            self._until_s = now_s + self._batch_s
        return self._current

    def sent(self, partition: int) -> None:
        """Take note of a record that is on its way."""
        self._sent[partition] += 1

    def ended(self, partition: int) -> None:
        """Take note of a record that is acknowledged, or was given up."""
        self._ended[partition] += 1

    def _next_free(self) -> int:
        after = self._last + 1
        for at in chain(range(after, self._count), range(min(after, self._count))):
            if self._sent[at] == self._ended[at]:
                self._last = at
                return at
        return ANY
