"""All connections of a worker: whose time is over, and whose place another needs."""

import asyncio
import heapq
from collections.abc import Callable
from typing import Protocol

from ingest.limits import Limits, Overdue, Waiting, expendable, overdue
from ingest.problems import Problem
from ingest.request import Head, RequestIds
from runtime.metrics import INGEST_ANSWERS, INGEST_CONNECTIONS, INGEST_CONNECTIONS_ENDED

_LOOK_S = 0.25
# One search for many places: a flood of connections must not cost a search each.
_ROOM_SHARE = 64


class Connection(Protocol):
    """What is asked of one connection."""

    waiting: Waiting
    since_s: float
    unread_since_s: float | None

    def has_waited(self) -> bool:
        """Tell whether it is the sender that is waited for, and not an answer to an earlier request."""

    def end(self, reason: Overdue) -> None:
        """End it, with a word where a request has begun."""

    def abort(self) -> None:
        """End it at once."""


class Connections:
    """Knows every connection; looks at them a few times a second, so that none needs a timer of its own.

    `now_s` is the time of the last look: near enough for limits of seconds, and free to ask.
    """

    def __init__(self, limits: Limits, time_s: Callable[[], float]) -> None:
        """Start without any; `time_s` tells the time."""
        self.limits = limits
        self.ids = RequestIds()
        self.now_s = time_s()
        self._time_s = time_s
        self._all: set[Connection] = set()
        self.full = False
        """No room was found, and no request has been answered since."""
        self.draining = False
        """Each answer is the last of its connection, and says so: the next request goes to another endpoint."""
        self._timer: asyncio.TimerHandle | None = None
        INGEST_CONNECTIONS.set_function(lambda: len(self._all))

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Look at them from now on."""
        self.look()
        self._timer = loop.call_later(_LOOK_S, self.start, loop)

    def stop(self) -> None:
        """Look no more."""
        if self._timer is not None:
            self._timer.cancel()

    def add(self, connection: Connection) -> bool:
        """Take a new one; return False where there is no place for it, and none to be made."""
        if len(self._all) >= self.limits.max_connections and not self._make_room():
            INGEST_CONNECTIONS_ENDED.labels("no-place").inc()
            return False
        self._all.add(connection)
        return True

    def remove(self, connection: Connection) -> None:
        """Forget one that has ended."""
        self._all.discard(connection)

    def look(self) -> None:
        """End those whose time is over."""
        self.now_s = now_s = self._time_s()
        self.full = False
        for connection in list(self._all):
            unread_since_s = connection.unread_since_s
            unread_s = 0.0 if unread_since_s is None else now_s - unread_since_s
            reason = overdue(connection.waiting, now_s - connection.since_s, unread_s, self.limits)
            if reason is not None and (reason is Overdue.READER or connection.has_waited()):
                INGEST_CONNECTIONS_ENDED.labels(reason.value).inc()
                connection.end(reason)

    def refuse(self, problem: Problem, headers: Head) -> str:
        """Count a refusal of what never became a request; return its name."""
        INGEST_ANSWERS.labels("unknown", str(problem.status), problem.name).inc()
        return self.ids.of(headers)

    def _make_room(self) -> bool:
        """End some that are expendable; where there were none, it is not searched again until something changes."""
        if self.full:
            return False
        now_s = self._time_s()
        room = [c for c in self._all if c.has_waited() and expendable(c.waiting, now_s - c.since_s)]
        idle_first = (Waiting.NEXT, Waiting.END)
        count = max(1, self.limits.max_connections // _ROOM_SHARE)
        for connection in heapq.nsmallest(count, room, key=lambda c: (c.waiting not in idle_first, c.since_s)):
            INGEST_CONNECTIONS_ENDED.labels("made-room").inc()
            self._all.discard(connection)
            connection.abort()
        self.full = not room
        return not self.full
