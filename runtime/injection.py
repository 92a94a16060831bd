"""Named points at which a test may have the process killed, frozen or failed; nothing in production.

Armed by the variable FAULT_INJECTION=POINT:NTH:ACTION[,…]: at the NTH passing of POINT the process kills itself
(`kill`), stops itself until somebody wakes it (`freeze`), or fails the call (`fail`).
"""

import os
import signal
from typing import Final, Literal, get_args

VARIABLE: Final = "FAULT_INJECTION"

Point = Literal[
    "fetched", "processed", "fired", "changelog-written", "offsets-sent", "committed", "stored", "restoring"
]  # fmt: skip
POINTS: tuple[Point, ...] = get_args(Point)


class InjectedFault(RuntimeError):  # noqa: N818 - named for what it is
    """The failure that was asked for."""


class _Armed:
    def __init__(self, nth: int, action: str) -> None:
        self.left = nth
        self.action = action


def _read(text: str) -> dict[str, _Armed]:
    armed: dict[str, _Armed] = {}
    for part in filter(None, text.split(",")):
        point, nth, action = part.split(":")
        if point not in POINTS or action not in {"kill", "freeze", "fail"}:
            raise ValueError(f"{VARIABLE}: {part!r} names no point of {POINTS}, or no action of kill, freeze, fail")
        armed[point] = _Armed(int(nth), action)
    return armed


_armed = _read(os.environ.get(VARIABLE, ""))


def reach(point: Point) -> None:
    """Pass a point; free where nothing is armed."""
    if not _armed or point not in _armed:
        return
    fault = _armed[point]
    fault.left -= 1
    if fault.left:
        return
    if fault.action == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif fault.action == "freeze":
        os.kill(os.getpid(), signal.SIGSTOP)
    else:
        raise InjectedFault(f"{point}: as asked by {VARIABLE}")
