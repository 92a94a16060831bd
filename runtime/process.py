"""What a process of ours is to the machine: its title, and whose death ends it."""

import ctypes
import os
import shlex
import signal
import sys
import threading
import time
from collections.abc import Sequence

from setproctitle import setproctitle

# Not SEGWIRE_…: those are settings, and each must name one.
PARENT_VARIABLE = "_SEGWIRE_PARENT_PID"
"""Set by who starts a service as its child, to its own process ID: the child ends when that process does."""

ORPHAN_GRACE_S = 8
"""How long an orphan may drain: its Kafka may be dying with the same parent."""

_PR_SET_PDEATHSIG = 1
_POLL_S = 0.5


def begin_process(arguments: Sequence[str]) -> None:
    """Title this process with its command line; where a supervisor started it, end with that supervisor.

    Called once, first of all, from the main thread.
    """
    setproctitle(shlex.join(["segwire", *arguments]))
    parent = os.environ.pop(PARENT_VARIABLE, "")
    if parent.isdigit():
        end_with_parent(int(parent))


def end_with_parent(parent_pid: int, grace_s: int = ORPHAN_GRACE_S) -> None:
    """Get SIGTERM when the parent dies, however it dies, and be killed `grace_s` later at the latest.

    The kernel sends the signal when the parent's *thread* that started us ends, so a parent starts its children
    from its main thread. Exits at once where the parent is dead already.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != parent_pid:
        os._exit(128 + signal.SIGTERM)
    threading.Thread(target=_watch, args=(parent_pid, grace_s), name="parent-watch", daemon=True).start()


def _watch(parent_pid: int, grace_s: int) -> None:
    while os.getppid() == parent_pid:
        time.sleep(_POLL_S)
    # The kernel's own alarm ends us even where Python hangs; nobody handles SIGALRM.
    signal.alarm(grace_s)
    if sys.platform != "linux":
        os.kill(os.getpid(), signal.SIGTERM)
