"""A service that passes records on, and does with some of them what a processor must never do.

Run as `python -m tests.support.poison_service SERVERS PREFIX FOLDER [PROTOCOL [WATCHDOG_S]]`; its name is `fan-out`.
"""

import os
import signal
import sys
import threading
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Literal

from runtime.hosting import begin, serve, transaction_loop
from runtime.processor import Backpressure, InputRecord, OutputRecord
from runtime.settings import FanOutSettings, KafkaSettings, ManagementSettings, Settings
from schemas.topics import MESSAGE_MAX_BYTES

TOPIC_MAX_BYTES = 100_000
WAIT_S = 2.0
FREE = "free"
"""A file in the folder: where it is, nothing is stuck."""


class Naughty:
    """Passes each record on to `topic`, unless its value says otherwise."""

    def __init__(self, topic: str, folder: Path) -> None:
        self._topic = topic
        self._folder = folder
        self._pressed = False

    def process(self, records: Sequence[InputRecord]) -> Iterator[OutputRecord]:
        for count, record in enumerate(records):
            what = (record.value or b"").partition(b" ")[0]
            if what == b"raise":
                raise ValueError(f"no idea what to do with {record.offset}")
            if what == b"die":
                os.kill(os.getpid(), signal.SIGKILL)
            if what == b"stuck" and not (self._folder / FREE).exists():
                threading.Event().wait()
            if what == b"press" and not self._pressed:
                self._pressed = True
                raise Backpressure(WAIT_S, processed=count)
            filling = {b"large": TOPIC_MAX_BYTES, b"huge": MESSAGE_MAX_BYTES}.get(what)
            value = record.value if filling is None else os.urandom(filling + 1)
            yield OutputRecord(self._topic, -1, record.key, value)

    def punctuate(self, now_ms: int, partitions: Collection[int]) -> Sequence[OutputRecord]:  # noqa: ARG002
        return ()

    def committed(self) -> None:
        return

    def aborted(self) -> None:
        return


def main(
    servers: str, prefix: str, folder: str, protocol: Literal["classic", "consumer"] = "classic",
    watchdog_s: str = "300",
) -> None:  # fmt: skip
    """Run until SIGTERM."""
    section = FanOutSettings(
        management_port=0, commit_interval_ms=50, group_protocol=protocol, watchdog_s=int(watchdog_s)
    )  # fmt: skip
    settings = Settings(
        data_dir=folder, fan_out=section, management=ManagementSettings(),
        # Every seek waits for the answer to what was asked before.
        kafka=KafkaSettings(
            bootstrap_servers=servers, topic_prefix=prefix, properties={"fetch.wait.max.ms": 20}
        ),
    )  # fmt: skip
    names = begin(settings, "fan-out")
    loop = transaction_loop(
        settings, "fan-out", names.aam_posts, section, Naughty(names.segment_events, Path(folder)), None
    )
    serve(settings, "fan-out", section, [loop], Path(folder) / "fan-out.ready")


if __name__ == "__main__":
    main(*sys.argv[1:])  # type: ignore[arg-type]
