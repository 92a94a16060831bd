"""What all candidates run in: the same Python, and the same allocator."""

import ctypes.util
import platform
import sys
from collections.abc import Mapping


def allocator() -> Mapping[str, str]:
    """Return what makes a process use jemalloc, as our image does; nothing where that is not installed.

    All get it: what Kafka Streams says of its memory advises it for RocksDB, too.
    """
    library = ctypes.util.find_library("jemalloc")
    return {} if library is None else {"LD_PRELOAD": library}


def described() -> str:
    """Say what it is, as a line over the figures."""
    return (
        f"Python {platform.python_version()} of {sys.base_prefix}, {' '.join(platform.python_build())}, "
        f"{platform.python_compiler()}; {allocator().get('LD_PRELOAD', 'the allocator of libc')}"
    )
