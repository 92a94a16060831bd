"""When a service that stands still is ended, and when it is left to go on."""

from collections.abc import Callable
from itertools import count
from typing import Any, cast

import pytest
from prometheus_client import REGISTRY

from runtime.metrics import SCRAPED_S
from runtime.watchdog import Watchdog
from tests.support.loop import Clock, nothing

NAMES = (f"watched-{number}" for number in count())


class Waits:
    """In the place of the event that stops the watch: time passes at once, and then the next of `script` happens."""

    def __init__(self, clock: Clock) -> None:
        self.script: list[Callable[[], None]] = []
        self.waited_s: list[float] = []
        self._clock = clock
        self._is_set = False

    def set(self) -> None:
        self._is_set = True

    def wait(self, timeout_s: float) -> bool:
        self._clock.at_s += timeout_s
        self.waited_s.append(timeout_s)
        if self.script:
            self.script.pop(0)()
        return self._is_set


class Watched:
    """A watchdog whose thread is the test's."""

    def __init__(self, limit_s: float) -> None:
        self.clock = Clock()
        self.waits = Waits(self.clock)
        self.ended: list[int] = []
        self.name = next(NAMES)
        self.dog = Watchdog(self.name, limit_s, self.clock, self.ended.append)
        self.dog._done = cast("Any", self.waits)

    def watch(self, *script: Callable[[], None]) -> list[float]:
        """Watch, one action in each wait; return how long each was."""
        self.waits.script = list(script)
        self.dog._watch()
        return self.waits.waited_s

    def sleep(self, seconds: float) -> Callable[[], None]:
        def pass_time() -> None:
            self.clock.at_s += seconds

        return pass_time

    def work(self) -> None:
        self.dog.stepped()
        self.dog.progressed()

    def told(self) -> float | None:
        return REGISTRY.get_sample_value("segwire_processor_watchdog_total", {"processor": self.name})


@pytest.mark.parametrize(("limit_s", "until_end_s"), [(300, SCRAPED_S), (5, 5)])
def test_whoever_stands_still_is_told_of_for_as_long_as_a_scrape_or_the_limit_and_ended(
    limit_s: float, until_end_s: float
) -> None:
    watched = Watched(limit_s)
    told: list[float | None] = []
    waited_s = watched.watch(nothing, watched.sleep(limit_s), lambda: told.append(watched.told()))
    assert waited_s == [1, 1, until_end_s]
    assert (told, watched.ended) == ([1], [1])


def test_whoever_turns_without_progress_is_ended_too() -> None:
    watched = Watched(5)
    watched.clock.at_s += 5
    assert watched.watch(watched.dog.stepped, watched.dog.stepped) == [1, 5]
    assert watched.ended == [1]


def test_whoever_is_stopped_while_it_is_told_of_ends_in_its_own_way() -> None:
    watched = Watched(5)
    assert watched.watch(watched.sleep(5), watched.dog.stop) == [1, 5]
    assert (watched.told(), watched.ended) == (1, [])


def test_whoever_goes_on_while_it_is_told_of_is_left_to_go_on_and_watched_further() -> None:
    watched = Watched(5)
    calmed = [watched.sleep(5), watched.work, watched.work]
    assert watched.watch(*calmed, watched.sleep(5), nothing) == [1, 5, 1, 1, 5]
    assert (watched.told(), watched.ended) == (2, [1])
