"""Becomes a command that dies with the process that started it: `python launcher.py PARENT_PID COMMAND…`.

Linux ends the command by SIGKILL when its parent ends, however that ended. A function between fork and exec could
ask for the same, but would run Python in a copy of a process whose other threads may have held locks; this file is a
program of its own, with nothing imported that it does not need. What is asked for survives exec.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main(arguments: list[str]) -> None:
    """Replace this process by the command.

    Raises:
        OSError: the kernel refuses, or the command is not there.
    """
    parent_pid, command = int(arguments[0]), arguments[1:]
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    if os.getppid() != parent_pid:
        sys.exit("the parent ended before its child began")
    os.execv(command[0], command)  # noqa: S606 - the point of this program


if __name__ == "__main__":
    main(sys.argv[1:])
