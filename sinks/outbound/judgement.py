"""What is parked, and what waits. Pure.

Parked, as a dead letter, is a message that the partner refuses, or that fails while others pass. While nothing passes
the partner is down: then nothing is parked, and everything waits in Kafka.
"""

from collections.abc import Sequence
from typing import NamedTuple

from sinks.outbound.sender import Attempts

# A partner that refuses so many in a row refuses us, not them.
REFUSED_IN_A_ROW_MAX = 50


class Judgement(NamedTuple):
    """The messages of a round by position: done for good, or to come again.

    `failure` says why some wait, None where they merely were not sent for want of time. `asked_wait_s` is the longest
    that the partner asked for. `refused_in_a_row` goes into the next round's judgement.
    """

    done: frozenset[int]
    failure: str | None
    asked_wait_s: float | None
    refused_in_a_row: int


def judge(attempts: Sequence[Attempts], refused_in_a_row: int) -> Judgement:
    """Judge the messages of one round, which went out at the same time."""
    verdicts = [each.verdict for each in attempts]
    passes = "delivered" in verdicts
    run = 0 if passes else refused_in_a_row
    done: set[int] = set()
    waiting: list[Attempts] = []
    for number, each in enumerate(attempts):
        if each.verdict == "refused":
            run += 1
        is_refused = each.verdict == "refused" and (passes or run <= REFUSED_IN_A_ROW_MAX)
        # One that is asked to wait has not had its retry.
        is_poison = each.verdict == "failed" and passes and each.asked_wait_s is None
        if each.verdict == "delivered" or is_refused or is_poison:
            done.add(number)
        else:
            waiting.append(each)
    tried = [each.answers[-1] for each in waiting if each.answers]
    waits_s = [each.asked_wait_s for each in waiting if each.asked_wait_s is not None]
    return Judgement(
        done=frozenset(done),
        failure=tried[0].reason if tried else None,
        asked_wait_s=max(waits_s, default=None),
        refused_in_a_row=0 if passes else run,
    )
