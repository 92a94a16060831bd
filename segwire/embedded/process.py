"""A child process that cannot outlive its parent."""

import contextlib
import os
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

LAUNCHER = Path(__file__).with_name("launcher.py")


class BoundProcess:
    """A child process that ends by SIGKILL when this process does, even by SIGKILL.

    The kernel watches the *thread* that started the child, so a thread of its own starts it and then waits for its end:
    it is safe to start from any thread, however short-lived.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        environment: Mapping[str, str],
        output: Path,
        keep: Sequence[int] = (),
        folder: Path | None = None,
    ) -> None:
        """Start the command.

        Args:
            command: its first word is a path.
            environment: its whole environment.
            output: the file that takes what it prints, written anew.
            keep: open files that it inherits, and holds until it ends.
            folder: where it runs; None: where this process does.

        Raises:
            OSError: it cannot be started, or the output cannot be written.
        """
        self._process: subprocess.Popen[bytes] | None = None
        self._error: OSError | None = None
        self._started = threading.Event()
        arguments = (list(command), dict(environment), output, tuple(keep), folder)
        threading.Thread(target=self._keep, args=arguments, daemon=True, name="child-keeper").start()
        self._started.wait()
        if self._error is not None:
            raise self._error

    @property
    def pid(self) -> int:
        """The process ID, valid while it runs."""
        return self._child.pid

    def poll(self) -> int | None:
        """Return None while it runs, else the exit code; negative for a signal."""
        return self._child.poll()

    def wait(self) -> int:
        """Return the exit code when it has ended. Blocks."""
        return self._child.wait()

    def stop(self, grace_s: float) -> int:
        """End by SIGTERM, after the grace by SIGKILL; return the exit code. Blocks."""
        self._child.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self._child.wait(grace_s)
        return self.kill()

    def kill(self) -> int:
        """End at once; return the exit code."""
        self._child.kill()
        return self._child.wait()

    @property
    def _child(self) -> subprocess.Popen[bytes]:
        assert self._process is not None
        return self._process

    def _keep(
        self, command: list[str], environment: dict[str, str], output: Path, keep: tuple[int, ...], folder: Path | None
    ) -> None:
        try:
            with output.open("wb") as printed:
                self._process = subprocess.Popen(
                    # -I and -S: nothing of the user's environment, no site packages; it starts in 10 ms.
                    [sys.executable, "-I", "-S", str(LAUNCHER), str(os.getpid()), *command],
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    stdout=printed,
                    stderr=subprocess.STDOUT,
                    pass_fds=keep,
                    cwd=folder,
                    start_new_session=True,  # a Ctrl-C is for us: we end the child, in order
                )
        except OSError as error:
            self._error = error
            return
        finally:
            self._started.set()
        self._process.wait()
