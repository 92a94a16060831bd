"""One run: traffic, processes, faults, and in the end the judgement."""

import shutil
import time
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from tests.chaos.faults import carry_out
from tests.chaos.feeder import Feeder
from tests.chaos.judge import SHOWN, Verdict, judge
from tests.chaos.plan import Plan
from tests.chaos.stage import Stage
from tests.chaos.traffic import Traffic
from tests.support.cluster import Cluster

BEGUN_RECORDS = 100
BEGIN_LIMIT_S = 120.0


class Outcome(NamedTuple):
    """What became of a run."""

    plan: Plan
    verdict: Verdict
    exits: Counter[str]
    events: Counter[str]
    seconds: float
    logs: str

    def line(self) -> str:
        """Return the run in one line."""
        state = "ok" if not self.verdict.differences else f"{len(self.verdict.differences)} DIFFERENCES"
        faults = " ".join(fault.short() for fault in self.plan.faults)
        return (
            f"seed {self.plan.seed}: {state}; {self.verdict.events} messages, {self.verdict.rows} rows, "
            f"{self.verdict.changes} changes; {self.plan.protocol}, {self.plan.members} processes; {faults}; "
            f"exits {dict(self.exits)}; {dict(self.events)}; {self.seconds:.1f} s"
        )

    def story(self) -> str:
        """Return all that helps to find out why."""
        found = "\n".join(self.verdict.differences[:SHOWN])
        return f"{self.line()}\n{self.plan}\n{found}\n{self.logs}"


def run(plan: Plan, cluster: Cluster, folder: Path, least_messages: int) -> Outcome:
    """Carry out a plan and judge what was published; the logs stay where something is wrong."""
    began_s = time.monotonic()
    own = folder / f"seed-{plan.seed}"
    own.mkdir(parents=True)
    stage = Stage(plan, cluster, own)
    stage.pipeline.create_topics()
    feeder = Feeder(
        cluster.bootstrap_servers, stage.pipeline.names.segment_events, Traffic(plan.seed, time.time_ns() // 1_000_000)
    )
    try:
        for member in stage.members:
            member.start()
        feeder.start()
        stage.wait(lambda: stage.committed() > BEGUN_RECORDS, "the first messages are processed", BEGIN_LIMIT_S)
        for fault in plan.faults:
            carry_out(fault, stage)
        cluster.heal()
        feeder.finish(least_messages)
        stage.settle()
        for member in stage.members:
            member.stop()
        verdict = judge(stage.pipeline)
    finally:
        cluster.heal()
        for member in stage.members:
            member.kill()
        stage.delete_topics()
    return _outcome(stage, verdict, own, time.monotonic() - began_s)


def _outcome(stage: Stage, verdict: Verdict, folder: Path, seconds: float) -> Outcome:
    exits: Counter[str] = Counter()
    events: Counter[str] = Counter()
    for member in stage.members:
        exits.update(member.exits)
        events.update(member.events())
        verdict.differences.extend(f"member {member.ordinal} said: {alarm}" for alarm in member.alarms()[:SHOWN])
    verdict.differences.extend(stage.notes)
    logs = "\n".join(member.tail() for member in stage.members)
    if not verdict.differences:
        shutil.rmtree(folder)
    return Outcome(stage.plan, verdict, exits, events, seconds, f"logs are in {folder}\n{logs}")
