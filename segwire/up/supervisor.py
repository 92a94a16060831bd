"""Keeps the children running, and ends them in order."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from runtime.clock import Clock
from runtime.errors import ConfigurationError, SegwireError
from segwire.up.child import Child, how_it_ended
from segwire.up.leftovers import forget_child, note_child
from segwire.up.monitor import Answer
from segwire.up.reporter import Reporter
from segwire.up.restart import RestartHistory, RestartPolicy
from segwire.up.services import Service
from segwire.up.view import ServiceView, State

_CONFIGURATION_EXIT = ConfigurationError.exit_code


class _Watched:
    """A child, its history and when it is started again."""

    def __init__(self, service: Service, policy: RestartPolicy) -> None:
        self.child = Child(service)
        self.name = service.name
        self.history = RestartHistory(policy)
        self.started_ms = 0
        self.restart_at_ms: int | None = None
        self.problem = ""
        self.proven = False
        self.ended = False

    def is_ready(self, answer: Answer | None) -> bool:
        if self.restart_at_ms is not None or self.ended:
            return False
        if self.child.service.management_url is None:
            return self.child.says_ready() or not self.child.service.writes_ready_file
        # An answer from before the start is another process's.
        if answer is None or answer.asked_ms <= self.started_ms or not answer.ready or not self.child.says_ready():
            return False
        self.proven = True
        return True

    def view(self, answer: Answer | None, now_ms: int) -> ServiceView:
        state: State
        if self.ended:
            state, detail = "ended", ""
        elif self.restart_at_ms is not None:
            state, detail = "waiting", f"starts again in {max(0, self.restart_at_ms - now_ms) / 1000:.0f} s"
        elif self.is_ready(answer):
            state, detail = "ready", ""
        else:
            state, detail = "starting", answer.reason if answer and answer.asked_ms > self.started_ms else ""
        return ServiceView(
            name=self.name,
            state=state,
            detail=detail,
            problem=self.problem,
            restarts=self.history.restarts,
            url=self.child.service.management_url or "",
        )


class Supervisor:
    """Starts the children, starts them again when they die, gives up where that is no use.

    Main thread only: the kernel ends a child with the thread that started it.
    """

    def __init__(
        self, services: Sequence[Service], data_dir: Path, policy: RestartPolicy, clock: Clock, reporter: Reporter
    ) -> None:
        """Start nothing yet. `services` are in the order in which they drain."""
        self._data_dir = data_dir
        self._clock = clock
        self._reporter = reporter
        self._policy = policy
        self._watched = [_Watched(service, policy) for service in services]

    def start(self) -> None:
        """Start every child."""
        for watched in self._watched:
            self._start(watched)

    def add(self, service: Service) -> None:
        """Start one child more, which drains before the others."""
        self._watched.insert(0, _Watched(service, self._policy))
        self._start(self._watched[0])

    def tick(self) -> None:
        """Look after every child once.

        Raises:
            ConfigurationError: a child refused its configuration.
            SegwireError: a child died again and again.
        """
        for watched in self._watched:
            if watched.ended:
                continue
            if watched.restart_at_ms is not None:
                if self._now_ms() >= watched.restart_at_ms:
                    self._start(watched)
                continue
            code = watched.child.poll()
            if code is not None:
                self._ended(watched, code)

    def all_ready(self, answers: Mapping[str, Answer]) -> bool:
        """Tell whether every child is ready."""
        return all(watched.is_ready(answers.get(watched.name)) for watched in self._watched)

    def views(self, answers: Mapping[str, Answer]) -> list[ServiceView]:
        """Return how every child is."""
        now_ms = self._now_ms()
        return [watched.view(answers.get(watched.name), now_ms) for watched in self._watched]

    def drain(self) -> None:
        """End the children in order, each within its own time. Blocks."""
        for watched in self._watched:
            self._drain(watched)

    def _start(self, watched: _Watched) -> None:
        watched.restart_at_ms = None
        watched.started_ms = self._now_ms()
        watched.child.start()
        if watched.child.pid is not None:
            note_child(self._data_dir, watched.name, watched.child.pid)

    def _ended(self, watched: _Watched, code: int) -> None:
        forget_child(self._data_dir, watched.name)
        if code == _CONFIGURATION_EXIT:
            raise ConfigurationError(f"{watched.name} refuses its configuration:\n{self._last_lines(watched)}")
        how = how_it_ended(code)
        now_ms = self._now_ms()
        watched.problem = f"ended with {how}"
        watched.restart_at_ms = watched.history.ended(watched.started_ms, now_ms, proven=watched.proven)
        if watched.restart_at_ms is not None:
            self._reporter.problem(
                f"{watched.name} ended with {how} and starts again in {(watched.restart_at_ms - now_ms) / 1000:.1f} s; "
                f"its log: {watched.child.service.log_file}"
            )
            return
        error = self._given_up(watched, how)
        if watched.child.service.essential:
            raise error
        watched.ended = True
        self._reporter.problem(str(error))

    def _given_up(self, watched: _Watched, how: str) -> SegwireError:
        return SegwireError(
            f"{watched.name} ended {watched.history.quick_failures} times in a row, the last time with {how}, and is "
            f"not started again. Last lines of {watched.child.service.log_file}:\n{self._last_lines(watched)}\n"
            "Mend what they say and run `segwire up` again: it goes on where it was"
        )

    def _last_lines(self, watched: _Watched) -> str:
        return "\n".join(f"  {line}" for line in watched.child.last_lines()) or "  (it wrote nothing)"

    def _drain(self, watched: _Watched) -> None:
        child = watched.child
        if child.pid is None or child.poll() is not None:
            forget_child(self._data_dir, watched.name)
            return
        self._reporter.say(f"{watched.name}: draining")
        child.terminate()
        if not child.wait(child.service.drain_s):
            self._reporter.problem(
                f"{watched.name} did not end within {child.service.drain_s:g} s and is killed; nothing acknowledged "
                "is lost, the next start goes on from its last commit"
            )
            child.kill()
        forget_child(self._data_dir, watched.name)

    def _now_ms(self) -> int:
        return int(self._clock.monotonic_s() * 1000)
