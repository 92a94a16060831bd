"""How each fault is brought about."""

from collections.abc import Callable, Mapping

from tests.chaos.member import Member
from tests.chaos.plan import Fault, Kind
from tests.chaos.stage import Stage
from tests.support.end_transaction_proxy import Trouble

REACH_LIMIT_S = 45.0


def carry_out(fault: Fault, stage: Stage) -> None:
    """Let it happen, and return when it is over; what follows from it may last longer."""
    _FAULTS[fault.kind](fault, stage)
    stage.last(0.5)


def _member(fault: Fault, stage: Stage) -> Member:
    return stage.members[fault.member]


def _armed(fault: Fault, stage: Stage, action: str) -> Member:
    """Start a member anew that is to meet something at a point."""
    member = _member(fault, stage)
    member.kill()
    if fault.point == "restoring":
        member.drop_state()
    member.start(f"{fault.point}:{fault.nth}:{action}")
    return member


def _kill_at(fault: Fault, stage: Stage) -> None:
    member = _armed(fault, stage, "kill")
    ends = member.exits["SIGKILL"]
    stage.wait(lambda: member.exits["SIGKILL"] > ends, f"{fault.point} is reached", REACH_LIMIT_S)


def _kill(fault: Fault, stage: Stage) -> None:
    stage.last(fault.seconds)
    _member(fault, stage).kill()


def _freeze(fault: Fault, stage: Stage) -> None:
    member = _member(fault, stage)
    member.freeze()
    stage.last(fault.seconds)
    member.wake()


def _frozen_at(fault: Fault, stage: Stage) -> Member:
    member = _armed(fault, stage, "freeze")
    stage.wait(member.is_frozen, f"{fault.point} is reached", REACH_LIMIT_S)
    return member


def _freeze_at(fault: Fault, stage: Stage) -> None:
    member = _frozen_at(fault, stage)
    stage.last(fault.seconds)
    member.wake()


def _rebalance_at(fault: Fault, stage: Stage) -> None:
    """Another process joins while the member stands still, and leaves later."""
    member = _frozen_at(fault, stage)
    other = _join(stage)
    stage.last(fault.seconds)
    member.wake()
    stage.last(1.0)
    other.stop()


def _join_and_leave(fault: Fault, stage: Stage) -> None:
    other = _join(stage)
    stage.last(2.0 + fault.seconds)
    other.stop()


def _join(stage: Stage) -> Member:
    other = stage.new_member(len(stage.members))
    stage.members.append(other)
    other.start()
    return other


def _drop_state(fault: Fault, stage: Stage) -> None:
    member = _member(fault, stage)
    member.wanted = False
    member.kill()
    member.drop_state()
    member.start()


def _node(fault: Fault, stage: Stage) -> int:
    if fault.role == "transactions":
        return stage.cluster.transaction_coordinator(f"{stage.group}-{fault.member}")
    if fault.role == "group":
        return stage.cluster.group_coordinator(stage.group)
    return stage.cluster.leader(stage.pipeline.names.segment_events, 0)


def _broker_kill(fault: Fault, stage: Stage) -> None:
    stage.cluster.kill(_node(fault, stage))
    stage.last(fault.seconds)
    stage.cluster.heal()


def _broker_freeze(fault: Fault, stage: Stage) -> None:
    stage.cluster.freeze(_node(fault, stage))
    stage.last(fault.seconds)
    stage.cluster.heal()


def _broker_kill_at(fault: Fault, stage: Stage) -> None:
    node = _node(fault, stage)
    member = _frozen_at(fault, stage)
    stage.cluster.kill(node)
    member.wake()
    stage.last(fault.seconds)
    stage.cluster.heal()


def _broker_freeze_at(fault: Fault, stage: Stage) -> None:
    node = _node(fault, stage)
    member = _frozen_at(fault, stage)
    stage.cluster.freeze(node)
    member.wake()
    stage.last(fault.seconds)
    stage.cluster.heal()


def _end_transaction(fault: Fault, stage: Stage) -> None:
    trouble: Trouble = fault.trouble  # type: ignore[assignment]
    stage.cluster.proxy.arm(trouble, fault.nth, fault.seconds)
    stage.wait(stage.cluster.proxy.troubled, "the ends of transactions are troubled", REACH_LIMIT_S)
    stage.last(fault.seconds)
    stage.cluster.proxy.calm()


def _clock(fault: Fault, stage: Stage) -> None:
    """The clock is set wrong and right again; after that a new process, so that its timers need not wait."""
    member = _member(fault, stage)
    member.shift_clock(fault.shift_ms)
    stage.last(fault.seconds)
    member.kill()
    member.shift_clock(0)


_FAULTS: Mapping[Kind, Callable[[Fault, Stage], None]] = {
    "kill-at": _kill_at,
    "kill": _kill,
    "freeze": _freeze,
    "freeze-at": _freeze_at,
    "rebalance-at": _rebalance_at,
    "drop-state": _drop_state,
    "join-and-leave": _join_and_leave,
    "broker-kill": _broker_kill,
    "broker-freeze": _broker_freeze,
    "broker-kill-at": _broker_kill_at,
    "broker-freeze-at": _broker_freeze_at,
    "end-transaction": _end_transaction,
    "clock": _clock,
}
