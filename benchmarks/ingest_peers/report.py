"""Figures as tables: medians with their range, and the peers' cost over ours, round by round."""

from collections.abc import Mapping, Sequence
from statistics import median

from ingest_peers.measure import Figures, Phase

Results = Mapping[str, Mapping[str, Sequence[Figures]]]
"""By candidate and phase, in the order of the rounds."""


def render(results: Results, phases: Sequence[Phase], first: str) -> str:
    """Return the tables in Markdown."""
    lines: list[str] = []
    for phase in phases:
        lines += [
            f"**{phase.name}**",
            "",
            "| | CPU µs per 200 | answers/s | per CPU second | p50 ms | p99 ms | most ms | RSS MB | peer over ours |",
            "|---" * 9 + "|",
        ]
        for name, phases_of in results.items():
            rounds = phases_of[phase.name]
            cells = [
                _cell([f.cpu_us for f in rounds], ".1f"),
                _cell([f.per_s for f in rounds], ",.0f"),
                _cell([f.per_core_s for f in rounds], ",.0f"),
                _cell([f.p50_ms for f in rounds], ".2f"),
                _cell([f.p99_ms for f in rounds], ".2f"),
                f"{max(f.max_ms for f in rounds):.0f}",
                _cell([f.rss_bytes / 1e6 for f in rounds], ".0f"),
                _ratio(results[first][phase.name], rounds) if first in results and name != first else "",
            ]
            lines.append(f"| {name} | " + " | ".join(cells) + " |")
        lines.append("")
    return "\n".join(lines)


def _ratio(ours: Sequence[Figures], theirs: Sequence[Figures]) -> str:
    return _cell([their.cpu_us / our.cpu_us for our, their in zip(ours, theirs, strict=True)], ".2f")


def _cell(values: Sequence[float], form: str) -> str:
    middle, low, high = (format(value, form) for value in (median(values), min(values), max(values)))
    return middle if len(values) == 1 else f"{middle} ({low}-{high})"
