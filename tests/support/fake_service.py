"""A service that does nothing, for tests of the supervisor: `NAME PORT READY_FILE JOURNAL [crash]`.

It appends a line to the journal when it is ready and when it has drained.
"""

import os
import sys
import time
from pathlib import Path

from runtime.management import ManagementServer
from runtime.process import begin_process
from runtime.service import StopSignal, write_ready_file

_TICK_S = 0.1


def _note(journal: Path, text: str) -> None:
    with journal.open("a", encoding="utf-8") as file:
        file.write(f"{text}\n")


def main(name: str, port: str, ready_file: str, journal: str, *faults: str) -> int:
    begin_process(["fake", name])
    stop = StopSignal()
    stop.install()
    if "crash" in faults:
        sys.stderr.write(f"{name} cannot find its feet\n")
        return 3
    if "misconfigured" in faults:
        sys.stderr.write("segwire: that.setting: no\n")
        return 2
    management = ManagementServer("127.0.0.1", int(port), lambda: None)
    management.start()
    write_ready_file(Path(ready_file), {name: management.url}, "")
    _note(Path(journal), f"{name} ready {os.getpid()}")
    # A signal that comes just before a wait begins is heard only when the wait is over: so they are short.
    while not stop.wait(_TICK_S):
        pass
    while "hang" in faults:
        time.sleep(_TICK_S)
    _note(Path(journal), f"{name} drained")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
