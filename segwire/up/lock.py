"""Who holds a data directory."""

import fcntl
import os
import time
from pathlib import Path

from runtime.errors import SegwireError

LOCK_FILE = "up.lock"
UP_FILE = "up.json"
"""What a running `up` tells the other commands; believed only while the lock is held."""

_TRIES = 20


class DataLock:
    """Holds a data directory for this process; the kernel lets go when the process ends, however it ends."""

    def __init__(self, data_dir: Path) -> None:
        """Take the lock.

        Raises:
            SegwireError: another process holds it, or the directory cannot be written.
        """
        path = data_dir / LOCK_FILE
        try:
            data_dir.mkdir(parents=True, exist_ok=True)
            self._file = path.open("a+", encoding="utf-8")
        except OSError as error:
            raise SegwireError(
                f"--data-dir {data_dir}: cannot be written ({error.strerror}); mend its permissions or name another"
            ) from None
        if not self._take():
            self._file.seek(0)
            holder = self._file.read().strip() or "unknown"
            self._file.close()
            raise SegwireError(
                f"--data-dir {data_dir}: held by another `segwire up`, process {holder}; stop it (kill {holder}), "
                "or name another --data-dir"
            )
        self._file.truncate(0)
        self._file.write(f"{os.getpid()}\n")
        self._file.flush()

    def _take(self) -> bool:
        # A command that asks whether `up` runs holds the lock for a moment.
        for _ in range(_TRIES):
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                time.sleep(0.01)
            else:
                return True
        return False

    def release(self) -> None:
        """Let go."""
        self._file.close()


def is_held(data_dir: Path) -> bool:
    """Tell whether a living `up` holds a data directory."""
    try:
        with (data_dir / LOCK_FILE).open(encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False
