"""A slice of the fault harness: one run of each theme, new seeds each time. `make chaos` is the whole of it."""

from pathlib import Path

import click
import pytest

from runtime.injection import POINTS
from tests.chaos.plan import THEMES, make_plan
from tests.chaos.run import run
from tests.support.cluster import Cluster

LEAST_MESSAGES = 2_000


@pytest.mark.parametrize("theme", range(THEMES))
def test_nothing_is_lost_and_nothing_doubled_whatever_goes_wrong(
    theme: int, first_seed: int, cluster: Cluster, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = make_plan(first_seed + theme)
    outcome = run(plan, cluster, tmp_path, LEAST_MESSAGES)
    with capsys.disabled():
        click.echo(f"\n{outcome.line()}")
    assert not outcome.verdict.differences, outcome.story()


def test_a_slice_reaches_every_point_and_both_group_protocols() -> None:
    for first in (0, THEMES, 7 * THEMES):
        plans = [make_plan(first + theme) for theme in range(THEMES)]
        assert {plan.faults[0].point for plan in plans if plan.faults[0].kind == "kill-at"} >= set(POINTS)
        assert {plan.protocol for plan in plans} == {"classic", "consumer"}
    for theme in range(THEMES):
        assert {make_plan(theme + turn * THEMES).protocol for turn in (0, 1)} == {"classic", "consumer"}


def test_a_seed_is_always_the_same_run() -> None:
    assert make_plan(4711) == make_plan(4711)
