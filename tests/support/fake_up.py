"""`segwire up` without Kafka and with children that do nothing: `DATA_DIR JOURNAL NAME:PORT[:FAULT]…`.

Everything else is the real thing: lock, leftovers, supervisor, signals, drain.
"""

import os
import sys
from pathlib import Path

from rich.console import Console

from runtime.clock import SystemClock
from runtime.errors import SegwireError
from runtime.process import PARENT_VARIABLE
from runtime.settings import Settings
from segwire.up.leftovers import end_leftovers
from segwire.up.lock import DataLock
from segwire.up.pipeline import Pipeline
from segwire.up.reporter import LineReporter
from segwire.up.restart import RestartPolicy
from segwire.up.services import Service
from segwire.up.signals import Stop, StopRequested

_POLICY = RestartPolicy(first_delay_ms=50, delay_max_ms=200, quick_failures_max=4, unproven_failures_max=3)
_ROOT = Path(__file__).parent.parent.parent


def _service(data_dir: Path, journal: str, word: str) -> Service:
    name, port, *faults = word.split(":")
    ready_file = data_dir / "run" / f"{name}.ready.json"
    return Service(
        name=name,
        command=(sys.executable, "-m", "tests.support.fake_service", name, port, str(ready_file), journal, *faults),
        environment={**os.environ, PARENT_VARIABLE: str(os.getpid()), "PYTHONPATH": str(_ROOT)},
        management_url=f"http://127.0.0.1:{port}",
        ready_file=ready_file,
        log_file=data_dir / "logs" / f"{name}.log",
        drain_s=1.0 if "hang" in faults else 60.0,
    )


def main(data: str, journal: str, *words: str) -> int:
    data_dir = Path(data)
    reporter = LineReporter(Console(highlight=False))
    stop = Stop()
    stop.install()
    try:
        lock = DataLock(data_dir)
        end_leftovers(data_dir, 30.0, reporter.say)
        services = [_service(data_dir, journal, word) for word in words]
        pipeline = Pipeline(services, Settings(data_dir=data), _POLICY, (), SystemClock(), reporter, stop)
        try:
            pipeline.start()
            pipeline.wait_until_ready()
            reporter.say("all ready")
            pipeline.watch()
        finally:
            pipeline.stop()
            lock.release()
    except StopRequested:
        return 0
    except SegwireError as error:
        reporter.say(str(error))
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
