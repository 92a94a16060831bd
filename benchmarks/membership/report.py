"""Figures as a table: medians with their range, and what we are to each peer, round by round."""

from collections.abc import Callable, Mapping, Sequence
from statistics import median

from membership.measure import Figures

Rounds = Sequence[Figures]

_COLUMNS: list[tuple[str, Callable[[Figures], float], str]] = [
    ("CPU µs/event", lambda f: f.cpu_us_per_event, ".2f"),
    ("1000 events/s/core", lambda f: 1e3 / f.cpu_us_per_event, ".0f"),
    ("peak RSS MB", lambda f: f.peak_rss_bytes / 1e6, ".0f"),
    ("disk B/user", lambda f: f.disk_bytes_per_user, ".0f"),
    ("restore s", lambda f: f.restore_s, ".2f"),
    ("1000 records/s", lambda f: f.restore_records_per_s / 1e3, ".0f"),
    ("restore CPU µs/record", lambda f: f.restore_cpu_us_per_record, ".2f"),
    ("restore peak RSS MB", lambda f: f.restore_peak_rss_bytes / 1e6, ".0f"),
]
# What is more than 1 where we are better, but for the sizes, which are ours over theirs.
_RATIOS: list[tuple[str, Callable[[Figures, Figures], float]]] = [
    ("events per core", lambda us, peer: peer.cpu_us_per_event / us.cpu_us_per_event),
    ("peak RSS", lambda us, peer: us.peak_rss_bytes / peer.peak_rss_bytes),
    ("disk per user", lambda us, peer: us.disk_bytes_per_user / peer.disk_bytes_per_user),
    ("restored records/s", lambda us, peer: _over(us.restore_records_per_s, peer.restore_records_per_s)),
    ("restore, times as quick", lambda us, peer: _over(peer.restore_s, us.restore_s)),
]


def render(results: Mapping[str, Rounds], first: str) -> str:
    """Return the tables in Markdown; ratios are those of `first` to every other."""
    lines = ["| | " + " | ".join(name for name, _, _ in _COLUMNS) + " |", "|---" * (len(_COLUMNS) + 1) + "|"]
    for name, rounds in results.items():
        cells = [_cell([value(figures) for figures in rounds], form) for _, value, form in _COLUMNS]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    peers = [name for name in results if name != first]
    if first in results and peers:
        lines += ["", f"| {first} to | " + " | ".join(name for name, _ in _RATIOS) + " |", "|---" * 6 + "|"]
        for peer in peers:
            pairs = list(zip(results[first], results[peer], strict=False))
            cells = [_cell([ratio(*pair) for pair in pairs], ".2f") for _, ratio in _RATIOS]
            lines.append(f"| {peer} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _cell(values: Sequence[float], form: str) -> str:
    if not any(values):
        return "-"
    middle, low, high = (format(value, form) for value in (median(values), min(values), max(values)))
    return middle if len(values) == 1 else f"{middle} ({low}-{high})"


def _over(above: float, below: float) -> float:
    return above / below if below else 0.0
