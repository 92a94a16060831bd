"""Draws a board from the data of its queries, as Grafana would lay it out; it is no picture of Grafana."""

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib as mpl
from matplotlib import dates
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch
from matplotlib.ticker import FuncFormatter, MaxNLocator
from PIL import Image

from deploy.grafana.board import Board, Panel, Query
from tests.support.prometheus import Course

COLUMNS = 24
WIDTH_IN, UNIT_IN, GAP_IN, MARGIN_IN = 15.0, 0.3, 0.09, 0.25
HEAD_IN, ROW_IN = 0.85, 0.45
STAT_UNITS, GRAPH_UNITS = 5, 8
COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7a5195", "#8c6d31", "#5b6770", "#b2182b")
INK, QUIET, EDGE, PAPER, CARD = "#1f2a36", "#66717d", "#d9dee4", "#f3f5f7", "#ffffff"
GOOD, BAD = "#1a7f37", "#cf222e"
STEPS = ((1e9, "G"), (1e6, "M"), (1e3, "k"))


class Line(NamedTuple):
    """A line of a panel."""

    name: str
    points: Sequence[tuple[float, float]]


class Box(NamedTuple):
    """A place on the paper, in inches from the lower left."""

    left: float
    low: float
    width: float
    height: float


Lines = dict[Query, list[Line]]
"""What each query gave."""


def line_of(legend: str, course: Course) -> Line:
    """Return a series under the name that its panel gives it."""
    labels, points = course
    return Line(re.sub(r"{{(\w+)}}", lambda found: labels.get(found[1], ""), legend).strip(), points)


def draw(board: Board, data: Lines, said: str, file: Path) -> None:
    """Draw a board to a PNG of few colours; `said` is a line about where the data are from."""
    mpl.rcParams.update({"font.size": 8.5, "text.color": INK, "axes.edgecolor": EDGE, "font.family": "DejaVu Sans"})
    mpl.rcParams["text.parse_math"] = False
    height = HEAD_IN + MARGIN_IN + sum(ROW_IN + _row_height(row.panels) for row in board.rows)
    figure = Figure(figsize=(WIDTH_IN, height), facecolor=PAPER)
    _say(figure, MARGIN_IN, height - 0.42, f"Segwire / {board.title}", size=16, weight="bold")
    _say(figure, MARGIN_IN, height - 0.72, f"{board.means} {said}", size=9, color=QUIET)
    top = height - HEAD_IN
    moments = [at_s for lines in data.values() for line in lines for at_s, _ in line.points]
    since_s, until_s = min(moments), max(moments)
    for row in board.rows:
        _say(figure, MARGIN_IN, top - 0.3, row.title, size=11, weight="bold")
        top -= ROW_IN
        for panel, box in _placed(row.panels, top):
            _card(figure, box)
            lines = [
                line
                for query in panel.queries
                for line in data[query]
                if not panel.now or line.points[-1][0] == until_s
            ]
            if panel.kind == "stat":
                _stat(figure, box, panel, lines)
            else:
                _graph(figure, box, panel, lines).set_xlim(_moment(since_s), _moment(until_s))
        top -= _row_height(row.panels)
    _save(figure, file)


def _placed(panels: Sequence[Panel], top: float) -> Iterator[tuple[Panel, Box]]:
    """Yield each panel with its place, from left to right; what finds none goes below."""
    unit = (WIDTH_IN - 2 * MARGIN_IN) / COLUMNS
    column, line_height = 0, 0.0
    for panel in panels:
        height = _height(panel)
        if column + panel.width > COLUMNS:
            top, column, line_height = top - line_height, 0, 0.0
        left = MARGIN_IN + column * unit
        yield panel, Box(left, top - height + GAP_IN, panel.width * unit - GAP_IN, height - GAP_IN)
        column, line_height = column + panel.width, max(line_height, height)


def _row_height(panels: Sequence[Panel]) -> float:
    return max(-(box.low - GAP_IN) for _, box in _placed(panels, 0.0))


def _height(panel: Panel) -> float:
    return UNIT_IN * (STAT_UNITS if panel.kind == "stat" else GRAPH_UNITS)


def _say(figure: Figure, left: float, low: float, text: str, **style: Any) -> None:
    figure.text(left / figure.get_figwidth(), low / figure.get_figheight(), text, **style)


def _card(figure: Figure, box: Box) -> None:
    width, height = figure.get_figwidth(), figure.get_figheight()
    figure.add_artist(
        FancyBboxPatch(
            (box.left / width, box.low / height), box.width / width, box.height / height,
            boxstyle="round,pad=0,rounding_size=0.003", mutation_aspect=width / height, facecolor=CARD, edgecolor=EDGE,
            linewidth=0.8, transform=figure.transFigure, zorder=0,
        )
    )  # fmt: skip


def _axes(figure: Figure, box: Box) -> Any:
    width, height = figure.get_figwidth(), figure.get_figheight()
    axes = figure.add_axes((box.left / width, box.low / height, box.width / width, box.height / height))
    axes.set_facecolor("none")
    return axes


def _stat(figure: Figure, box: Box, panel: Panel, lines: Sequence[Line]) -> None:
    _say(figure, box.left + 0.1, box.low + box.height - 0.24, panel.title, size=9, weight="bold")
    shown = sorted(lines, key=lambda line: -line.points[-1][1]) if len(lines) > 1 else lines
    each = box.width / max(1, len(shown))
    for number, line in enumerate(shown):
        left, value = box.left + number * each, line.points[-1][1]
        color = BAD if _is_bad(panel, value) else GOOD
        axes = _axes(figure, Box(left + 0.1, box.low + 0.08, each - 0.2, 0.34))
        moments, values = _columns(line)
        axes.plot(moments, values, color=color, linewidth=1.0, alpha=0.7)
        axes.fill_between(moments, values, min(values), color=color, alpha=0.12, linewidth=0)
        axes.set_axis_off()
        axes.margins(0, 0.15)
        _say(figure, left + 0.1, box.low + 0.62, written(value, panel.unit), size=17, weight="bold", color=color)
        if line.name:
            _say(figure, left + 0.1, box.low + 0.45, line.name, size=8.5, color=QUIET)


def _is_bad(panel: Panel, value: float) -> bool:
    above = panel.bad_from is not None and value >= panel.bad_from
    return above or (panel.good_from is not None and value < panel.good_from)


def _graph(figure: Figure, box: Box, panel: Panel, lines: Sequence[Line]) -> Any:
    _say(figure, box.left + 0.1, box.low + box.height - 0.24, panel.title, size=9, weight="bold")
    named = [line for line in lines if line.name]
    lines = named or lines  # what stands for nothing is of no interest beside something
    axes = _axes(figure, Box(box.left + 0.62, box.low + 0.62, box.width - 0.78, box.height - 1.0))
    for number, line in enumerate(lines):
        color = COLORS[number % len(COLORS)] if line.name else QUIET
        moments, values = _columns(line)
        axes.plot(moments, values, color=color, linewidth=1.3, label=line.name or "none")
    axes.set_ylim(bottom=0, top=None if any(value for line in lines for _, value in line.points) else 1)
    axes.grid(axis="y", color=EDGE, linewidth=0.6)
    axes.tick_params(length=0, labelsize=8, labelcolor=QUIET)
    axes.yaxis.set_major_locator(MaxNLocator(4))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: written(value, panel.unit)))
    axes.xaxis.set_major_locator(dates.AutoDateLocator(minticks=3, maxticks=6))
    axes.xaxis.set_major_formatter(dates.DateFormatter("%H:%M"))
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    if named:
        longest = max(len(line.name) for line in named)
        columns = max(1, min(len(named), int(box.width / (0.42 + 0.066 * longest))))
        axes.legend(
            loc="upper left", bbox_to_anchor=(-0.45 / (box.width - 0.78), -0.13), ncol=columns, frameon=False,
            fontsize=8, handlelength=1.2, columnspacing=1.2, handletextpad=0.5, labelspacing=0.2, borderaxespad=0,
        )  # fmt: skip
    return axes


def _columns(line: Line) -> tuple[list[datetime], list[float]]:
    return [_moment(at_s) for at_s, _ in line.points], [value for _, value in line.points]


def _moment(at_s: float) -> datetime:
    return datetime.fromtimestamp(at_s, UTC)


def written(value: float, unit: str) -> str:
    """Return a value as a person reads it."""
    if unit == "percentunit":
        return f"{100 * value:.3f}".rstrip("0").rstrip(".") + " %"
    if unit == "s":
        return f"{1000 * value:.0f} ms" if 0 < value < 1 else f"{value:.3g} s"
    after = {"cps": "/s", "reqps": "/s", "bytes": "B", "Bps": "B/s"}.get(unit, "")
    for size, prefix in STEPS:
        if abs(value) >= 10 * size or (abs(value) >= size and size > 1e3):
            return f"{value / size:.3g} {prefix}{after}"
    text = f"{value:.0f}" if value == int(value) or abs(value) >= 100 else f"{value:.2g}"
    return f"{text} {after}".replace(" /", "/") if after else text


def _save(figure: Figure, file: Path) -> None:
    buffer = BytesIO()
    figure.savefig(buffer, format="png", dpi=100)
    buffer.seek(0)
    few = Image.open(buffer).convert("RGB").quantize(colors=256, dither=Image.Dither.NONE)
    file.parent.mkdir(parents=True, exist_ok=True)
    few.save(file, optimize=True)
