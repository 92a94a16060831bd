"""Many runs, one after the other: `python -m tests.chaos.campaign --runs 200 --messages 1000000`.

`--seed` (or the variable CHAOS_SEED) is the first seed, else the clock gives one; `--seed N --runs 1` repeats a run.
"""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

import click

from tests.chaos.plan import THEMES, make_plan
from tests.chaos.run import Outcome, run
from tests.support.cluster import running_cluster


def first_seed(text: str | None) -> int:
    """Return the seed that was asked for, else a new one, at which a round of all themes begins."""
    return int(text) if text else int(time.time()) // THEMES * THEMES


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--messages", type=int, default=1_000_000, help="least number in all")
    parser.add_argument("--seed", default=os.environ.get("CHAOS_SEED"))
    parser.add_argument("--step", type=int, default=1, help=f"from seed to seed; {THEMES} repeats one theme")
    options = parser.parse_args()
    seed = first_seed(options.seed)
    folder = Path(tempfile.mkdtemp(prefix="segwire-chaos-"))
    click.echo(f"chaos: {options.runs} runs from seed {seed}; logs of failures in {folder}")
    messages, wrong = 0, []
    with running_cluster(folder / "kafka") as cluster:
        for number in range(options.runs):
            plan = make_plan(seed + number * options.step)
            outcome: Outcome = run(plan, cluster, folder, -(-options.messages // options.runs))
            messages += outcome.verdict.events
            if outcome.verdict.differences:
                wrong.append(outcome.plan.seed)
                click.echo(outcome.story())
            click.echo(f"[{number + 1}/{options.runs}, {messages} messages] {outcome.line()}")
    click.echo(f"chaos: {options.runs} runs, {messages} messages, {len(wrong)} with differences {wrong or ''}")
    return 1 if wrong or messages < options.messages else 0


if __name__ == "__main__":
    sys.exit(main())
