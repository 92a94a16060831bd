"""`segwire` with a wall clock that is wrong by what a file says: `python -m tests.chaos.shifted_clock process …`.

The file is named by the variable CHAOS_CLOCK and holds milliseconds. All else keeps the machine's time, as on a machine
whose clock was set wrong.
"""

import os
import time
from pathlib import Path

from runtime.clock import SystemClock

VARIABLE = "CHAOS_CLOCK"


def shifted(_: SystemClock) -> int:
    return time.time_ns() // 1_000_000 + int(Path(os.environ[VARIABLE]).read_text())


if __name__ == "__main__":
    SystemClock.now_ms = shifted  # type: ignore[method-assign, assignment]
    from segwire.cli.main import main

    main()
