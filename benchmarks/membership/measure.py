"""One round of one candidate: the whole input, then a restore of the dropped state."""

import shutil
import time
from typing import NamedTuple

from membership.candidate import Candidate
from membership.cluster import Cluster
from membership.events import Filled
from membership.process import Pinned, disk_bytes

_WATCH_S = 0.1


class Figures(NamedTuple):
    """What a round measured; restore figures are 0 where there are none."""

    cpu_us_per_event: float
    events_per_s: float
    peak_rss_bytes: int
    disk_bytes_per_user: float
    restore_s: float = 0.0
    restore_records_per_s: float = 0.0
    restore_cpu_us_per_record: float = 0.0
    restore_peak_rss_bytes: int = 0


class Point(NamedTuple):
    """How far a candidate was, and at what cost."""

    committed: int
    cpu_s: float
    at_s: float


def run(candidate: Candidate, cluster: Cluster, topic: str, filled: Filled, warm: int) -> Figures:
    """Let a candidate process everything; count from the first commit past message `warm`."""
    candidate.prepare()
    process = candidate.start()
    try:
        begin, end = _watch(process, candidate, cluster, topic, (warm, filled.load.messages))
        peak = process.peak_rss_bytes()
    finally:
        process.stop()
    if begin.committed == end.committed:
        raise SystemExit(f"{candidate.name}: one commit held all that is measured; use more messages (--extra)")
    events = (end.committed - begin.committed) * filled.segments / filled.load.messages
    figures = Figures(
        (end.cpu_s - begin.cpu_s) / events * 1e6,
        events / (end.at_s - begin.at_s),
        peak,
        disk_bytes(candidate.state) / filled.load.users,
    )
    return _restore(candidate, figures) if candidate.restores else figures


def _watch(
    process: Pinned, candidate: Candidate, cluster: Cluster, topic: str, marks: tuple[int, int]
) -> list[Point]:  # fmt: skip
    """Return the first points at or past each mark."""
    points: list[Point] = []

    def reached() -> bool:
        time.sleep(_WATCH_S)
        point = Point(cluster.committed(candidate.group, topic), process.cpu_s(), time.monotonic())
        if point.committed >= marks[len(points)]:
            points.append(point)
        return len(points) == len(marks)

    process.wait_for(reached, candidate.name)
    return points


def _restore(candidate: Candidate, figures: Figures) -> Figures:
    shutil.rmtree(candidate.state)
    process = candidate.start()
    try:
        process.wait_for(lambda: candidate.restored(process) is not None, f"{candidate.name}, restore")
        cpu_s, peak = process.cpu_s(), process.peak_rss_bytes()
        told = candidate.restored(process)
        assert told is not None
    finally:
        process.stop()
    took_s = told.ready_s - told.began_s
    return figures._replace(
        restore_s=took_s,
        restore_records_per_s=told.records / took_s,
        restore_cpu_us_per_record=cpu_s / told.records * 1e6,
        restore_peak_rss_bytes=peak,
    )
