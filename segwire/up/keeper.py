"""Keeps a server of ours running: what `up` needs before any of its children starts."""

from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from runtime.clock import Clock
from runtime.errors import SegwireError
from segwire.up.background import Background, Work
from segwire.up.reporter import Reporter
from segwire.up.restart import RestartHistory, RestartPolicy
from segwire.up.view import ServiceView, State

InBackground = Callable[[Callable[[], None]], Work[None]]


class Server(Protocol):
    """A server that somebody starts and stops."""

    def start(self) -> None:
        """Start, and return when it answers. Blocks."""

    def poll(self) -> int | None:
        """Return None while it runs, else the exit code."""

    def stop(self) -> None:
        """Stop in order and release everything. Blocks; harmless when not started or stopped before."""


ServerT = TypeVar("ServerT", bound=Server)


class Keeper(Protocol):
    """Looks after a server that runs."""

    def tick(self) -> None:
        """Look after it once. Does not block."""

    def view(self) -> ServiceView:
        """Return how it is."""


class ServerKeeper(Generic[ServerT]):
    """Starts a server, and starts it again at the same address and on the same data when it dies."""

    def __init__(
        self,
        name: str,
        folder: str,
        server: ServerT,
        address_of: Callable[[ServerT], str],
        policy: RestartPolicy,
        clock: Clock,
        reporter: Reporter,
        in_background: InBackground = Background,
        at_address: Callable[[str], ServerT] | None = None,
    ) -> None:
        """Start nothing yet.

        Args:
            name: what people call it.
            folder: where its log is, in the data directory.
            server: the first one.
            address_of: returns where a started one is.
            policy: how patiently it is started again.
            clock: measures how long it lived.
            reporter: tells people.
            in_background: runs what blocks.
            at_address: makes the server that takes a dead one's place, where it is another.
        """
        self.name = name
        self._folder = folder
        self._address_of = address_of
        self._at_address = at_address
        self._in_background = in_background
        self._starting: Work[None] | None = None
        self._server = server
        self._history = RestartHistory(policy)
        self._clock = clock
        self._reporter = reporter
        self._address = ""
        self._started_ms = 0
        self._restart_at_ms: int | None = None

    @property
    def address(self) -> str:
        """The address for clients; known once started, and kept."""
        return self._address

    def start(self) -> None:
        """Start it. Blocks until it answers."""
        self._server.start()
        self._address = self._address_of(self._server)
        self._started_ms = self._now_ms()

    def tick(self) -> None:
        """Look after it once. Does not block: it is started again in the background.

        Raises:
            SegwireError: it died again and again.
        """
        if self._starting is not None:
            if self._starting.done():
                self._started_again(self._starting)
        elif self._restart_at_ms is None:
            code = self._server.poll()
            if code is not None:
                self._ended(f"ended with exit code {code}")
        elif self._now_ms() >= self._restart_at_ms:
            self._restart_at_ms = None
            self._started_ms = self._now_ms()
            self._starting = self._in_background(self._start_again)

    def view(self) -> ServiceView:
        """Return how it is."""
        state: State = "ready" if self._restart_at_ms is None else "waiting"
        if self._starting is not None:
            state = "starting"
        return ServiceView(name=self.name, state=state, detail="", restarts=self._history.restarts, url=self.address)

    def stop(self) -> None:
        """Stop it in order. Blocks; harmless where it never started."""
        self._server.stop()

    def _start_again(self) -> None:
        # Also lets go of what the dead one held.
        self._server.stop()
        if self._at_address is not None:
            self._server = self._at_address(self._address)
        self._server.start()

    def _started_again(self, starting: Work[None]) -> None:
        self._starting = None
        try:
            starting.result()
        except SegwireError as error:
            self._ended(f"could not be started again: {error}")
            return
        self._started_ms = self._now_ms()
        if self._address_of(self._server) != self._address:
            self._server.stop()
            self._ended(f"found its port taken when it was started again (it was {self._address})")
            return
        self._reporter.say(f"{self.name} answers again on {self._address}")

    def _ended(self, how: str) -> None:
        self._restart_at_ms = self._history.ended(self._started_ms, self._now_ms(), proven=True)
        if self._restart_at_ms is None:
            raise SegwireError(
                f"{self.name} {how}. It failed {self._history.quick_failures} times in a row and is not started again; "
                f"read its log in the data directory ({self._folder}/), mend what it says and run `segwire up` again"
            )
        self._reporter.problem(f"{self.name} {how}; it starts again on the same port and data")

    def _now_ms(self) -> int:
        return int(self._clock.monotonic_s() * 1000)
