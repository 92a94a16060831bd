"""Ports that a process keeps for its servers while it lives, also for the moment in which one of them is started again.

Else the next process that looks for a port takes the one of a server that has just died; what wrote to that server
would find another one there, with another's data.
"""

import fcntl
import os
from pathlib import Path

_held: dict[Path, int] = {}


def claim(port: int, folder: Path) -> bool:
    """Tell whether the port is this process's, which keeps it until it ends, however it does.

    `folder` is where all processes that should leave each other's ports alone look.
    """
    path = folder / str(port)
    if path in _held:
        return True
    try:
        folder.mkdir(parents=True, exist_ok=True)
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError:
        return True  # nobody else can tell either
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(fd)
        return False
    _held[path] = fd
    return True
