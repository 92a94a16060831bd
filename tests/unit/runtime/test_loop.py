from itertools import pairwise

import pytest
from confluent_kafka import KafkaError, KafkaException, TopicPartition

from runtime.errors import InvariantError, SegwireError
from runtime.kafka.asking import InstanceIdHeldError
from runtime.kafka.transaction import FencedError, OutcomeUnknown, TransactionAborted
from runtime.processor import Backpressure
from runtime.service import StopSignal
from tests.support.loop import TOPIC, FakeMessage, FakeState, Hosted, nothing


def test_records_are_published_with_their_offsets_in_one_transaction() -> None:
    hosted = Hosted()
    assert hosted.run(hosted.assign(0, 1), ends={0: 2, 1: 1}) == [["0/0", "0/1", "1/0"]]
    assert hosted.transactions.offsets == [{0: 2, 1: 1}]
    assert (hosted.processor.settled, hosted.consumer.closed) == (1, True)


def test_a_transaction_stays_open_for_the_commit_interval() -> None:
    hosted = Hosted(commit_interval_ms=200)
    hosted.consumer.step_s = 0.15
    grow = [lambda: hosted.consumer.ends.update({0: 2}), lambda: hosted.consumer.ends.update({0: 3})]
    assert hosted.run(hosted.assign(0), *grow, nothing, ends={0: 1})[0] == ["0/0", "0/1", "0/2"]


def test_a_full_transaction_is_committed_at_once() -> None:
    hosted = Hosted(max_transaction_records=2, batch_records=2)
    assert hosted.run(hosted.assign(0), ends={0: 5}) == [["0/0", "0/1"], ["0/2", "0/3"], ["0/4"]]


def test_what_is_open_at_the_stop_is_committed() -> None:
    hosted = Hosted(commit_interval_ms=10_000)
    hosted.run(hosted.assign(0), nothing, hosted.stop.set, ends={0: 3})
    assert hosted.transactions.offsets == [{0: 3}]


def test_after_an_abort_the_records_come_again_from_the_first_of_the_transaction() -> None:
    hosted = Hosted(commit_interval_ms=10)
    hosted.transactions.fates = [TransactionAborted("no")]
    assert hosted.run(hosted.assign(0, 1), hosted.wait(1), hosted.wait(1), ends={0: 2, 1: 1}) == [["0/0", "0/1", "1/0"]]
    assert hosted.consumer.seeks == [(0, 0), (1, 0)]
    assert hosted.transactions.offsets == [{0: 2, 1: 1}]
    assert (hosted.processor.settled, hosted.processor.dropped) == (1, 1)
    assert hosted.consumer.paused == set()


def test_a_queue_that_stays_full_aborts_and_the_records_come_again() -> None:
    hosted = Hosted()
    hosted.transactions.full = True
    assert hosted.run(hosted.assign(0), ends={0: 2}) == [["0/0", "0/1"]]
    assert hosted.transactions.aborts == 1


def test_an_unknown_outcome_that_was_a_commit_is_settled_and_not_repeated() -> None:
    state = FakeState(0)
    hosted = Hosted(commit_interval_ms=10, state=state)
    hosted.transactions.fates = [OutcomeUnknown("timed out")]
    hosted.transactions.happens_anyway = True
    assert hosted.run(hosted.assign(0), hosted.wait(1), hosted.wait(1), ends={0: 2}) == [["0/0", "0/1"]]
    assert (hosted.transactions.replaced, hosted.consumer.seeks) == (1, [])
    assert hosted.processor.settled == 1
    assert state.calls == ["changelog", "committed"]


def test_an_unknown_outcome_that_was_no_commit_is_rolled_back_and_repeated() -> None:
    state = FakeState(0)
    hosted = Hosted(commit_interval_ms=10, state=state)
    hosted.transactions.fates = [OutcomeUnknown("timed out")]
    assert hosted.run(hosted.assign(0), hosted.wait(1), hosted.wait(1), ends={0: 2}) == [["0/0", "0/1"]]
    assert (hosted.transactions.replaced, hosted.consumer.seeks) == (1, [(0, 0)])
    assert state.calls == ["changelog", "aborted", "changelog", "committed"]


def test_offsets_committed_before_are_not_taken_for_those_of_an_unknown_outcome() -> None:
    hosted = Hosted(commit_interval_ms=10)

    def more() -> None:
        hosted.consumer.ends[0] = 2
        hosted.transactions.fates = [OutcomeUnknown("timed out")]
        hosted.clock.at_s += 1

    assert hosted.run(hosted.assign(0), nothing, hosted.wait(1), more, nothing, hosted.wait(1), ends={0: 1}) == [
        ["0/0"], ["0/1"],
    ]  # fmt: skip
    assert hosted.consumer.seeks == [(0, 1)]


def test_revoked_partitions_are_committed_first() -> None:
    hosted = Hosted(commit_interval_ms=10_000)
    committed: list[int] = []

    def revoke() -> None:
        hosted.revoke(0)()
        committed.append(len(hosted.transactions.committed))

    hosted.run(hosted.assign(0), nothing, revoke, ends={0: 2})
    assert committed == [1]
    assert hosted.transactions.committed == [["0/0", "0/1"]]


def test_lost_partitions_are_aborted_and_never_committed() -> None:
    state = FakeState(0, 1)
    hosted = Hosted(commit_interval_ms=10_000, state=state)
    assert hosted.run(hosted.assign(0), nothing, nothing, hosted.lose(0), hosted.wait(60), ends={0: 2}) == []
    assert (hosted.transactions.aborts, state.active, hosted.consumer.positions) == (1, set(), {})


def test_a_batch_fetched_while_its_transaction_was_rolled_back_is_dropped_for_the_rewound_partitions() -> None:
    hosted = Hosted(commit_interval_ms=10_000)

    def revoke_in_vain() -> None:
        hosted.transactions.fates = [TransactionAborted("no")]
        hosted.consumer.already_fetched = [FakeMessage(1, 2)]  # the client had it at hand before the seek
        hosted.revoke(0)()

    def as_before() -> None:
        hosted.consumer.already_fetched = []

    published = hosted.run(hosted.assign(0, 1), nothing, revoke_in_vain, as_before, ends={0: 2, 1: 3})
    assert published == [["1/0", "1/1", "1/2"]]
    assert hosted.transactions.offsets == [{1: 3}]


def test_what_comes_after_a_seek_in_the_same_fetch_comes_again() -> None:
    hosted = Hosted(commit_interval_ms=10_000)

    def revoke_in_vain_and_fetch_on() -> None:
        hosted.transactions.fates = [TransactionAborted("no")]
        hosted.revoke(0)()
        hosted.consumer.already_fetched = [FakeMessage(1, offset) for offset in range(3)]
        hosted.consumer.positions[1] = 3

    def as_before() -> None:
        hosted.consumer.already_fetched = []

    published = hosted.run(hosted.assign(0, 1), nothing, revoke_in_vain_and_fetch_on, as_before, ends={0: 2, 1: 3})
    assert published == [["1/0", "1/1", "1/2"]]
    assert hosted.transactions.offsets == [{1: 3}]


def test_whoever_was_expelled_gives_up_its_partitions_and_joins_again() -> None:
    """The client may go on with them as another member, though others have processed them since."""
    state = FakeState(0)
    hosted = Hosted(commit_interval_ms=10, state=state)

    def become_another() -> None:
        hosted.clock.at_s += 1
        hosted.consumer.member = "member-2"
        hosted.consumer.stored[0] = TopicPartition("in", 0, 2)  # by whoever had the partition in between
        hosted.consumer.ends[0] = 3

    published = hosted.run(
        hosted.assign(0), nothing, become_another, nothing, nothing, hosted.assign(0), hosted.wait(1), ends={0: 2}
    )  # fmt: skip
    assert published == [["0/2"]]
    assert state.calls == ["changelog", "aborted", "changelog", "committed"]
    assert hosted.consumer.subscribed == 2


def test_whoever_cannot_even_leave_says_that_the_group_gave_its_id_away() -> None:
    hosted = Hosted()
    refusal = KafkaError(KafkaError._FATAL, "Failed to remove subscription: Local: Fatal error")
    hosted.consumer.unsubscribing = KafkaException(refusal)

    def become_another() -> None:
        hosted.clock.at_s += 1
        hosted.consumer.member = "member-2"

    with pytest.raises(SegwireError, match=r"gave this member's instance ID to another process .*its own ordinal"):
        hosted.run(hosted.assign(0), nothing, become_another, nothing, nothing, ends={0: 2})
    assert hosted.consumer.closed


def test_a_record_of_a_partition_that_is_not_ours_is_dropped() -> None:
    hosted = Hosted()
    hosted.consumer.already_fetched = [FakeMessage(7, 0)]
    assert hosted.run(hosted.assign(0), nothing, hosted.stop.set, ends={0: 1}) == [["0/0"]]


def test_partitions_wait_paused_until_their_state_is_restored_and_the_others_run_on() -> None:
    state = FakeState()
    hosted = Hosted(commit_interval_ms=10, state=state)

    def restore(partition: int) -> None:
        state.ready = {partition}

    why: list[str | None] = [hosted.loop.not_ready()]
    published = hosted.run(
        hosted.assign(0, 1), lambda: why.append(hosted.loop.not_ready()), lambda: restore(1), hosted.wait(1),
        hosted.wait(1), lambda: restore(0), hosted.wait(1), lambda: why.append(hosted.loop.not_ready()),
        ends={0: 1, 1: 1},
    )  # fmt: skip
    assert published == [["1/0"], ["0/0"]]
    assert why == ["waiting for the group to assign partitions", "restoring state from the changelog", None]


def test_a_record_of_a_partition_whose_state_is_not_restored_stops_the_service() -> None:
    hosted = Hosted(state=FakeState())
    hosted.consumer.already_fetched = [FakeMessage(0, 41)]
    with pytest.raises(InvariantError, match="partition 0: a record came at offset 41 before its state was restored"):
        hosted.run(hosted.assign(0))
    assert hosted.consumer.closed


def test_a_record_that_was_processed_before_stops_the_service() -> None:
    hosted = Hosted()
    hosted.consumer.stored = {0: TopicPartition(TOPIC, 0, 42)}
    hosted.consumer.already_fetched = [FakeMessage(0, 41)]
    with pytest.raises(
        InvariantError, match="I3 is broken: partition 0: a record came at offset 41, processed up to 42"
    ):
        hosted.run(hosted.assign(0))
    assert hosted.transactions.offsets == []


def test_an_assignment_without_partitions_is_ready_too() -> None:
    hosted = Hosted(state=FakeState())
    hosted.run(hosted.assign())
    assert hosted.loop.not_ready() is None


def test_what_fails_within_the_clients_callback_stops_the_service() -> None:
    hosted = Hosted(commit_interval_ms=10_000)
    hosted.transactions.fates = [FencedError("give each replica its own ordinal")]
    with pytest.raises(FencedError):
        hosted.run(hosted.assign(0), nothing, hosted.revoke(0), nothing, ends={0: 1})
    assert hosted.consumer.closed


def test_a_fatal_error_of_the_consumer_stops_the_service_and_a_passing_one_does_not() -> None:
    hosted = Hosted()
    hosted.consumer.already_fetched = [FakeMessage(0, 0, KafkaError(KafkaError._TRANSPORT))]
    assert hosted.run(hosted.assign(0), hosted.stop.set) == []
    hosted = Hosted()
    hosted.consumer.already_fetched = [FakeMessage(0, 0, KafkaError(KafkaError._FATAL, "over", fatal=True))]
    with pytest.raises(KafkaException):
        hosted.run(hosted.assign(0))


def test_a_client_that_cannot_go_on_ends_the_service_though_its_error_bears_no_flag() -> None:
    hosted = Hosted()
    failure = KafkaError(KafkaError._FATAL, "The instance ID is still used by another member")
    hosted.consumer.already_fetched = [FakeMessage(0, 0, failure)]
    with pytest.raises(SegwireError, match="give each replica its own ordinal"):
        hosted.run(hosted.assign(0), nothing, nothing)


# -- a killed predecessor ---------------------------------------------------------------------------------------------

HELD = FakeMessage(
    0, 0, KafkaError(KafkaError._FATAL, f"Fatal error: {KafkaError(KafkaError.UNRELEASED_INSTANCE_ID).str()}")
)  # fmt: skip


class QuickStop(StopSignal):
    """Waits in no time, by the hosted clock."""

    def __init__(self, hosted: Hosted) -> None:
        super().__init__()
        self._hosted = hosted

    def wait(self, timeout_s: float) -> bool:
        self._hosted.clock.at_s += timeout_s
        return self.is_set()


def hosted_with_quick_stop() -> Hosted:
    hosted = Hosted()
    hosted.stop = hosted.consumer._stop = QuickStop(hosted)
    return hosted


def test_the_session_of_a_killed_process_is_waited_for() -> None:
    hosted = hosted_with_quick_stop()
    hosted.consumer.already_fetched = [HELD]
    said: list[str | None] = []

    def released() -> None:
        said.append(hosted.loop.not_ready())
        hosted.consumer.already_fetched = []

    published = hosted.run(*[nothing] * 20, released, hosted.assign(0), nothing, nothing, ends={0: 1})
    assert published == [["0/0"]]
    assert hosted.connected == hosted.consumer.subscribed == 21
    assert 35 < hosted.clock.at_s - 1000 < 50
    assert "killed process that had this ordinal" in str(said[0])
    assert hosted.loop.not_ready() is None


def test_an_instance_id_that_is_never_released_ends_the_service_and_says_which_ordinal() -> None:
    hosted = hosted_with_quick_stop()
    hosted.consumer.already_fetched = [HELD]
    with pytest.raises(InstanceIdHeldError, match="give each replica its own ordinal"):
        hosted.run(*[nothing] * 1000)
    assert 110 < hosted.clock.at_s - 1000 < 130


def test_a_stop_during_that_wait_is_heard() -> None:
    hosted = hosted_with_quick_stop()
    hosted.consumer.already_fetched = [HELD]
    hosted.run(nothing, hosted.stop.set)
    assert hosted.consumer.closed


# -- backpressure -----------------------------------------------------------------------------------------------------


def test_what_was_open_is_committed_and_the_batch_comes_again_after_the_pause() -> None:
    hosted = Hosted(commit_interval_ms=10_000)
    seen: list[set[int]] = []

    def press() -> None:
        hosted.processor.pressures = [Backpressure(30)]
        hosted.consumer.ends[0] = 4

    def look() -> None:
        seen.append(set(hosted.consumer.paused))
        hosted.clock.at_s += 20

    published = hosted.run(hosted.assign(0, 1), nothing, press, nothing, look, look, look, ends={0: 2, 1: 1})
    assert published == [["0/0", "0/1", "1/0"], ["0/2", "0/3"]]
    assert hosted.transactions.offsets == [{0: 2, 1: 1}, {0: 4}]
    assert seen == [{0, 1}, {0, 1}, set()]
    assert hosted.loop.not_ready() is None


def test_what_was_done_before_the_backpressure_is_committed_and_only_the_rest_comes_again() -> None:
    hosted = Hosted()
    hosted.processor.pressures = [Backpressure(1, processed=2), Backpressure(1, processed=1)]
    published = hosted.run(hosted.assign(0, 1), *[hosted.wait(2)] * 4, ends={0: 3, 1: 1})
    assert published == [["0/0", "0/1"], ["0/2"], ["1/0"]]
    assert hosted.transactions.offsets == [{0: 2}, {0: 3}, {1: 1}]


def test_backpressure_without_anything_done_commits_nothing() -> None:
    hosted = Hosted(state=FakeState(0))
    hosted.processor.pressures = [Backpressure(1), Backpressure(1)]
    assert hosted.run(hosted.assign(0), nothing, *[hosted.wait(2)] * 4, ends={0: 2}) == [["0/0", "0/1"]]
    assert (hosted.transactions.aborts, hosted.processor.dropped) == (2, 2)


def test_what_is_restored_or_assigned_or_rolled_back_during_backpressure_stays_paused_until_its_end() -> None:
    state = FakeState(0)
    hosted = Hosted(state=state)
    hosted.processor.pressures = [Backpressure(30)]
    paused: list[set[int]] = []

    def restore() -> None:
        state.ready = {1}

    def look() -> None:
        paused.append(set(hosted.consumer.paused))

    hosted.run(
        hosted.assign(0, 1), nothing, hosted.assign(2), restore, look, hosted.wait(31), nothing, look, ends={0: 1}
    )  # fmt: skip
    assert paused == [{0, 1, 2}, {2}]


def test_records_that_wait_for_backpressure_are_no_standstill() -> None:
    hosted = Hosted(watchdog_s=60)
    hosted.processor.pressures = [Backpressure(300)]
    said: list[str | None] = []

    def look() -> None:
        said.append(hosted.loop._watchdog.verdict())

    hosted.run(hosted.assign(0), nothing, *[hosted.wait(40), nothing] * 5, look, hosted.wait(200), nothing, ends={0: 1})
    assert said == [None]
    assert hosted.transactions.committed == [["0/0"]]


# -- timers -----------------------------------------------------------------------------------------------------------


def test_timers_fire_once_a_second_also_where_no_records_come() -> None:
    hosted = Hosted()
    hosted.consumer.step_s = 0.25
    hosted.run(hosted.assign(0), *[nothing] * 12, ends={0: 1})
    times = [now_ms for now_ms, _ in hosted.processor.punctuated]
    assert [later - earlier for earlier, later in pairwise(times)] == [1000] * (len(times) - 1)
    assert len(times) >= 3


def test_what_timers_publish_is_committed_with_the_present_offsets() -> None:
    hosted = Hosted(commit_interval_ms=10)

    def fall_due() -> None:
        hosted.processor.due = [b"expired"]
        hosted.clock.at_s += 1

    assert hosted.run(hosted.assign(0, 1), nothing, hosted.wait(1), fall_due, hosted.wait(1), ends={0: 2, 1: 1}) == [
        ["0/0", "0/1", "1/0"], ["expired"],
    ]  # fmt: skip
    assert hosted.transactions.offsets[1] == {0: 2, 1: 1}


def test_a_timer_that_fails_costs_a_rollback_and_the_records_and_other_timers_go_on() -> None:
    state = FakeState(0)
    hosted = Hosted(commit_interval_ms=10_000, state=state)

    def fall_due() -> None:
        hosted.processor.due, hosted.processor.timer_fails = [b"expired"], 1
        hosted.clock.at_s += 1

    published = hosted.run(hosted.assign(0), nothing, nothing, fall_due, *[nothing] * 4, ends={0: 2})
    assert published == [["expired", "0/0", "0/1"]]
    assert hosted.transactions.aborts == 1
    assert (hosted.processor.dropped, hosted.transactions.letters) == (1, [])
    assert "aborted" in state.calls


def test_timers_that_were_moved_without_a_word_are_stored_too() -> None:
    state = FakeState(0)
    hosted = Hosted(commit_interval_ms=10, state=state)

    def move() -> None:
        state.moved = True
        hosted.clock.at_s += 1

    hosted.run(hosted.assign(0), nothing, nothing, hosted.wait(1), move, hosted.wait(1), ends={0: 1})
    assert state.calls == ["changelog", "committed"] * 2


def test_no_timer_fires_for_a_partition_that_is_not_restored_or_of_which_no_offset_is_known() -> None:
    state = FakeState(0, 2)
    hosted = Hosted(state=state)
    hosted.run(hosted.assign(0, 1, 2), nothing, nothing, hosted.wait(1), nothing, ends={0: 1, 1: 1})
    assert {tuple(partitions) for _, partitions in hosted.processor.punctuated} == {(0,)}


def test_timers_fire_up_to_the_horizon_of_what_was_processed() -> None:
    asked: list[dict[int, int]] = []

    class Reached:
        def start(self) -> None:
            return

        stop = start

        def reached_ms(self, positions: dict[int, int]) -> int:
            asked.append(positions)
            return 777

    hosted = Hosted(state=FakeState(0), horizon=Reached())
    hosted.run(hosted.assign(0), nothing, hosted.wait(1), nothing, ends={0: 3})

    assert hosted.processor.punctuated[-1] == (777, [0])
    assert asked[-1] == {0: 3}
