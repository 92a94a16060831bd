"""What the spool says when it cannot do what was asked."""

import errno
from pathlib import Path

from runtime.errors import SegwireError

_FULL_CODES = frozenset({errno.ENOSPC, errno.EDQUOT})


class SpoolError(SegwireError):
    """The spool could not do what was asked; nothing that was acknowledged is lost by it."""


class SpoolFull(SpoolError):  # noqa: N818 - named for what it tells
    """There is no room: the spool's own bound, the disk, or a quota. Nothing is ever evicted to make room."""


class SpoolFailed(SpoolError):  # noqa: N818 - named for what it tells
    """The disk refused (EIO, EROFS, …): whether the bytes are on it is not known, so they do not count."""


class SpoolClosed(SpoolError):  # noqa: N818 - named for what it tells
    """The spool was closed before."""


class SpoolLocked(SpoolError):  # noqa: N818 - named for what it tells
    """Another process holds the directory."""


class SpoolVersionUnknown(SpoolError):  # noqa: N818 - named for what it tells
    """A segment was written by a version of Segwire that this one does not know."""

    exit_code = 2


def disk_error(error: OSError, directory: Path) -> SpoolError:
    """Say what the disk refused, and what to do."""
    if error.errno in _FULL_CODES:
        return SpoolFull(
            f"spool {directory}: no space left on its disk ({error.strerror}); make room on it: "
            "it empties by itself as soon as Kafka takes what is in it"
        )
    return SpoolFailed(
        f"spool {directory}: the disk refused ({error.strerror or error}); look at the disk, its mount and its "
        "permissions: appends work again as soon as it does"
    )
