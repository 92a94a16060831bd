"""The life of a service process: its stop signal, its ready file."""

import gc
import json
import os
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import FrameType

_READY_POLL_S = 0.02
_STOP_POLL_S = 0.05
# The kernel's word that the parent died and an orchestrator's come together: that is one stop, said twice.
_SAME_STOP_S = 1.0


class StopSignal:
    """Set by SIGTERM or SIGINT; a second signal, a moment later, ends the process at once.

    A flag and not an event: an event's lock may be held by the very code that the signal interrupts.
    """

    def __init__(self) -> None:
        """Start unset; `install` connects it to the signals."""
        self._asked = self._signalled = False
        self._asked_s = 0.0

    def install(self) -> None:
        """Handle SIGTERM and SIGINT from now on. Main thread only."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        if not self._signalled:
            self._asked_s = time.monotonic()
        elif time.monotonic() - self._asked_s > _SAME_STOP_S:
            os._exit(128 + number)
        self._asked = self._signalled = True

    def set(self) -> None:
        """Ask for the stop from inside."""
        self._asked = True

    def is_set(self) -> bool:
        """Tell whether the stop was asked for."""
        return self._asked

    def wait(self, timeout_s: float) -> bool:
        """Wait up to `timeout_s` for the stop; return whether it was asked for."""
        end_s = time.monotonic() + timeout_s
        while not self._asked and (left_s := end_s - time.monotonic()) > 0:
            time.sleep(min(left_s, _STOP_POLL_S))
        return self._asked

    def wait_for_signal(self, timeout_s: float) -> None:
        """Wait up to `timeout_s` for a stop that is asked for from outside, whatever was asked for inside."""
        end_s = time.monotonic() + timeout_s
        while not self._signalled and (left_s := end_s - time.monotonic()) > 0:
            time.sleep(min(left_s, _STOP_POLL_S))


def settle_collector() -> None:
    """Keep the garbage collector off what lives as long as the process, and let it run rarely.

    Messages are freed by reference counts; full collections over the imported modules cost more than they find.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


def run_together(tasks: Sequence[Callable[[], None]], stop: StopSignal) -> None:
    """Run the first task in this thread and the others in threads of their own; all end when one does.

    Raises:
        BaseException: what ended the first task that failed.
    """
    failures: list[BaseException] = []

    def run(task: Callable[[], None]) -> None:
        try:
            task()
        except BaseException as error:  # noqa: BLE001 - raised again below, in the main thread
            failures.append(error)
        finally:
            stop.set()

    others = [threading.Thread(target=run, args=(task,), name=f"task-{n}") for n, task in enumerate(tasks[1:], 1)]
    for thread in others:
        thread.start()
    run(tasks[0])
    for thread in others:
        thread.join()
    if failures:
        raise failures[0]


class ReadyFile:
    """A ready file that is written as soon as the service says that it is ready."""

    def __init__(self, path: Path, urls: Mapping[str, str], bootstrap_servers: str) -> None:
        """Write `urls` and `bootstrap_servers` to `path`, later."""
        self._path = path
        self._urls = dict(urls)
        self._bootstrap_servers = bootstrap_servers

    def when(self, not_ready: Callable[[], str | None], stop: StopSignal) -> None:
        """Write it, from a thread of its own, when `not_ready` returns None."""
        threading.Thread(target=self._wait, args=(not_ready, stop), name="ready-file", daemon=True).start()

    def _wait(self, not_ready: Callable[[], str | None], stop: StopSignal) -> None:
        while not_ready() is not None:
            if stop.wait(_READY_POLL_S):
                return
        write_ready_file(self._path, self._urls, self._bootstrap_servers)


def write_ready_file(path: Path, urls: Mapping[str, str], bootstrap_servers: str) -> None:
    """Write the ready file whole: a reader sees all of it or no file. Source: interfaces, *Command line*."""
    write_whole(path, json.dumps({"urls": dict(urls), "bootstrap_servers": bootstrap_servers}) + "\n")


def write_whole(path: Path, text: str) -> None:
    """Replace a file in one step, so that no reader ever sees half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
    Path(temporary).chmod(0o644)
    Path(temporary).replace(path)
