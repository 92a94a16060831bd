"""Writing to standard output, which may be a pipe that somebody closes."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def until_pipe_closes() -> Iterator[None]:
    """End the block quietly when nobody reads any more, as `| head` does."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        # What is still in the buffer is flushed at exit: into nothing, else the interpreter complains then.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
