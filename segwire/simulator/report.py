"""The report of a run: what scripts read, and the same in lines for a person."""

from typing import Any

import msgspec

from segwire.simulator.differences import Differences
from segwire.simulator.model import Model
from segwire.simulator.plan import SimulationPlan
from segwire.simulator.published import Published
from segwire.simulator.tally import Tally


class Verified(msgspec.Struct, frozen=True):
    """What a verification found."""

    published: Published
    differences: Differences
    took_s: float


def build_report(
    plan: SimulationPlan, url: str, tally: Tally, model: Model, verified: Verified | None
) -> dict[str, Any]:
    """Return the report as JSON values; `differences` is null where nothing was verified."""
    return {
        "url": url,
        "parameters": msgspec.to_builtins(plan),
        "seed": plan.seed,
        "client_id": plan.client_id,
        "users": plan.users,
        "sent": tally.sent,
        "acknowledged": tally.acknowledged,
        "failed": tally.failed,
        "retried": tally.retried,
        "answers": dict(sorted(tally.answers.items())),
        "kinds": dict(sorted(tally.kinds.items())),
        "elapsed_s": round(tally.elapsed_s, 3),
        "acknowledged_per_s": round(tally.achieved_per_s, 1),
        "latency_ms": tally.answered_ms.summary(),
        "latency_from_plan_ms": tally.from_plan_ms.summary(),
        "memberships_expected": len(model),
        "memberships_published": None if verified is None else len(verified.published.rows),
        "verify_s": None if verified is None else round(verified.took_s, 3),
        "differences": None if verified is None else msgspec.to_builtins(verified.differences),
    }


def report_lines(report: dict[str, Any]) -> list[str]:
    """Return the report for a person."""
    answers = ", ".join(f"{answer}: {count}" for answer, count in report["answers"].items()) or "none"
    rate = f"{report['acknowledged_per_s']:g} acknowledged a second"
    lines = [
        f"sent          {report['sent']} messages in {report['elapsed_s']:.1f} s, {rate}",
        f"answers       {answers} (retried {report['retried']}, failed {report['failed']})",
        f"latency       {_latency_text(report['latency_ms'])} from the first attempt",
        f"              {_latency_text(report['latency_from_plan_ms'])} from the planned moment",
        f"memberships   {report['memberships_expected']} expected (client {report['client_id']})",
    ]
    if report["differences"] is not None:
        lines += _verified_lines(report)
    return lines


def _verified_lines(report: dict[str, Any]) -> list[str]:
    differences = report["differences"]
    counts = ", ".join(f"{found['count']} {sort}" for sort, found in differences.items())
    lines = [f"verified      {report['memberships_published']} published in {report['verify_s']:.1f} s: {counts}"]
    for sort, found in differences.items():
        lines += [
            f"  {sort}: user {example['aam_uuid']} segment {example['segment_id']} destination "
            f"{example['destination_id']}: expected {example['expected']}, got {example['got']}"
            + (f" (message {example['message']})" if example["message"] is not None else "")
            for example in found["examples"]
        ]
    return lines


def _latency_text(summary: dict[str, float]) -> str:
    return f"p50 {summary['p50']:.1f} ms, p99 {summary['p99']:.1f} ms, max {summary['max']:.1f} ms"
