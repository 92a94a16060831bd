"""Boards as Grafana's own model, by its Foundation SDK."""

from itertools import count
from typing import TypeVar

from grafana_foundation_sdk.builders import common, dashboard, prometheus, stat, text, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.common import (
    BigValueColorMode,
    BigValueGraphMode,
    BigValueTextMode,
    DataSourceRef,
    LegendDisplayMode,
    LegendPlacement,
    TooltipDisplayMode,
    VisibilityMode,
)
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    DashboardLinkType,
    Threshold,
    ThresholdsMode,
    VariableOption,
    VariableRefresh,
)
from grafana_foundation_sdk.models.text import TextMode

from deploy.grafana.board import Board, Choice, Panel, scoped

TAG = "segwire"
RUNBOOKS = "runbooks"
"""The variable that says where the runbooks are read."""

_NAMESPACE = Choice(name="namespace", label="Namespace", series='{__name__=~"segwire_.+"}')
_SOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")
_STAT_HEIGHT = 5
_GRAPH_HEIGHT = 8
_TEXT_HEIGHT = 16
_P = TypeVar("_P", stat.Panel, timeseries.Panel)


def board_json(board: Board, runbooks_url: str) -> str:
    """Return a board as the JSON that Grafana imports or is provisioned with."""
    return str(JSONEncoder(sort_keys=True, indent=2).encode(_dashboard(board, runbooks_url).build())) + "\n"


def _dashboard(board: Board, runbooks_url: str) -> dashboard.Dashboard:
    built = (
        dashboard.Dashboard(f"Segwire / {board.title}")
        .uid(f"segwire-{board.name}")
        .description(board.means)
        .tags([TAG])
        .timezone("browser")
        .time("now-1h", "now")
        .refresh("30s")
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .link(_sister_boards())
        .with_variable(dashboard.DatasourceVariable("datasource").label("Prometheus").type("prometheus"))
        .with_variable(_choice(_NAMESPACE))
    )
    if board.text:
        built.with_variable(dashboard.TextBoxVariable(RUNBOOKS).label("Runbooks at").default_value(runbooks_url))
    for choice in board.choices:
        built.with_variable(_choice(choice))
    numbers = count(1)
    for row in board.rows:
        built.with_row(dashboard.Row(row.title).id(next(numbers)))
        for panel in row.panels:
            made = _stat(panel) if panel.kind == "stat" else _graph(panel)
            built.with_panel(made.id(next(numbers)))
    if board.text:
        words = text.Panel().mode(TextMode.MARKDOWN).content(board.text).span(24).height(_TEXT_HEIGHT)
        built.with_row(dashboard.Row(board.text_title).id(next(numbers))).with_panel(words.id(next(numbers)))
    return built


def _sister_boards() -> dashboard.DashboardLink:
    return (
        dashboard.DashboardLink("Segwire")
        .type(DashboardLinkType.DASHBOARDS)
        .tags([TAG])
        .keep_time(True)
        .include_vars(True)
    )


def _choice(choice: Choice) -> dashboard.QueryVariable:
    return (
        dashboard.QueryVariable(choice.name)
        .label(choice.label)
        .datasource(_SOURCE)
        .query(f"label_values({choice.series}, {choice.name})")
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .multi(True)
        .include_all(True)
        .all_value(".*")
        .current(VariableOption(selected=True, text="All", value="$__all"))
    )


def _stat(panel: Panel) -> stat.Panel:
    named = any(query.legend for query in panel.queries)
    return (
        _filled(stat.Panel(), panel)
        .height(_STAT_HEIGHT)
        .text_mode(BigValueTextMode.VALUE_AND_NAME if named else BigValueTextMode.VALUE)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        .graph_mode(BigValueGraphMode.AREA)
        .color_mode(BigValueColorMode.VALUE)
        .thresholds(_thresholds(panel))
    )


def _graph(panel: Panel) -> timeseries.Panel:
    legend = common.VizLegendOptions().display_mode(LegendDisplayMode.LIST).placement(LegendPlacement.BOTTOM)
    return (
        _filled(timeseries.Panel(), panel)
        .height(_GRAPH_HEIGHT)
        .min(0)
        .fill_opacity(10)
        .show_points(VisibilityMode.NEVER)
        .legend(legend.show_legend(True))
        .tooltip(common.VizTooltipOptions().mode(TooltipDisplayMode.MULTI))
    )


def _filled(builder: _P, panel: Panel) -> _P:
    builder.title(panel.title).description(panel.means).unit(panel.unit).span(panel.width).datasource(_SOURCE)
    for letter, query in zip("ABCDEFGH", panel.queries, strict=False):
        asked = prometheus.Dataquery().ref_id(letter).expr(scoped(query.expr)).legend_format(query.legend or "__auto")
        if panel.now:
            asked = asked.instant()
        builder.with_target(asked.datasource(_SOURCE))
    return builder


def _thresholds(panel: Panel) -> dashboard.ThresholdsConfig:
    steps = [Threshold(value=None, color="green")]
    if panel.bad_from is not None:
        steps.append(Threshold(value=panel.bad_from, color="red"))
    if panel.good_from is not None:
        steps = [Threshold(value=None, color="red"), Threshold(value=panel.good_from, color="green")]
    return dashboard.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(steps)
