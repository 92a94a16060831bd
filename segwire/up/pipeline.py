"""The running pipeline: children, servers, monitor and figures, tied together by one loop."""

from collections.abc import Sequence
from pathlib import Path

from runtime.clock import Clock
from runtime.settings import Settings
from segwire.own_certificate import trusting_own
from segwire.up.demo.play import play, poster
from segwire.up.keeper import Keeper
from segwire.up.monitor import Monitor
from segwire.up.ports import service_urls
from segwire.up.reporter import Reporter
from segwire.up.restart import RestartPolicy
from segwire.up.services import Service
from segwire.up.signals import Stop
from segwire.up.supervisor import Supervisor
from segwire.up.tally import Tally
from segwire.up.view import View

_START_TICK_S = 0.05
_TICK_S = 0.2
_SHOWN_EVERY_S = 1.0
_WAITING_EVERY_S = 5.0
_SETTLE_MAX_S = 10.0


class Pipeline:
    """Starts, watches and drains everything below `up`. Main thread only."""

    def __init__(
        self,
        services: Sequence[Service],
        settings: Settings,
        policy: RestartPolicy,
        keepers: Sequence[Keeper],
        clock: Clock,
        reporter: Reporter,
        stop: Stop,
    ) -> None:
        """Start nothing yet; `keepers` look after servers of ours that run already."""
        self._settings = settings
        self._keepers = keepers
        self._clock = clock
        self._reporter = reporter
        self._stop = stop
        self._monitor = Monitor(services, clock)
        self._supervisor = Supervisor(services, Path(settings.data_dir), policy, clock, reporter)
        self._tally = Tally()
        self._began_s = clock.monotonic_s()

    def start(self) -> None:
        """Start the children and ask them how they are."""
        self._supervisor.start()
        self._monitor.start()

    def add(self, service: Service) -> None:
        """Start one child more, that nobody waits for."""
        self._supervisor.add(service)

    def wait_until_ready(self) -> None:
        """Wait until every child is ready; say each few seconds for whom. Blocks without a limit: a restore takes time.

        Raises:
            SegwireError: as `Supervisor.tick`.
            StopRequested: the stop was asked for.
        """
        told_s = self._clock.monotonic_s()
        while not self._supervisor.all_ready(self._monitor.answers()):
            self._tick()
            if self._clock.monotonic_s() - told_s >= _WAITING_EVERY_S:
                told_s = self._clock.monotonic_s()
                waiting = [s for s in self._supervisor.views(self._monitor.answers()) if s.state != "ready"]
                self._reporter.say("Waiting for " + ", ".join(f"{s.name} ({s.detail or s.state})" for s in waiting))
            self._stop.check(_START_TICK_S)
        self._monitor.slow_down()

    def watch(self) -> None:
        """Keep everything running until the stop is asked for.

        Raises:
            SegwireError: as `Supervisor.tick`.
        """
        shown_s = 0.0
        while not self._stop.wait(_TICK_S):
            self._tick()
            if self._clock.monotonic_s() - shown_s >= _SHOWN_EVERY_S:
                shown_s = self._clock.monotonic_s()
                self._reporter.show(self._view())

    def play_demo(self, source: str) -> None:
        """Send the samples.

        Raises:
            SegwireError: ingest did not take one.
            StopRequested: the stop was asked for.
        """
        self._reporter.say("Playing the sample messages, then gentle traffic")
        tls = self._settings.ingest.tls
        post = poster(service_urls(self._settings)["ingest"], source, None if tls is None else trusting_own(tls))
        play(post, self._clock.now_ms(), self._settle)

    def stop(self) -> None:
        """Drain the children in order. Blocks."""
        self._supervisor.drain()
        self._monitor.stop()

    def _settle(self) -> None:
        """Wait until memberships changed, or it takes too long: the samples may have been played here before."""
        limit_s = self._clock.monotonic_s() + _SETTLE_MAX_S
        while self._clock.monotonic_s() < limit_s and not self._view().figures.changes:
            self._tick()
            self._stop.check(_START_TICK_S)

    def _tick(self) -> None:
        for keeper in self._keepers:
            keeper.tick()
        self._supervisor.tick()

    def _view(self) -> View:
        answers = self._monitor.answers()
        for name, answer in answers.items():
            self._tally.observe(name, answer.metrics)
        now_s = self._clock.monotonic_s()
        return View(
            ingest_url=service_urls(self._settings)["ingest"],
            uptime_s=int(now_s - self._began_s),
            services=(*self._supervisor.views(answers), *(keeper.view() for keeper in self._keepers)),
            figures=self._tally.figures(int(now_s * 1000)),
        )
