import msgspec
import pytest
from confluent_kafka import TopicPartition

from runtime.attempts import Attempts, Memory, Suspect
from runtime.errors import InvariantError, SegwireError
from runtime.isolation import Isolation, Place, PoisonLimitError
from runtime.processor import Backpressure, InputRecord
from runtime.settings import FanOutSettings
from tests.support.loop import FakeMessage, FakeState, Hosted, Kept, nothing


class Death(BaseException):
    """The process is gone: nothing after this is done."""


def failing() -> None:
    raise ValueError("a secret")


def headers(hosted: Hosted) -> list[dict[str, str]]:
    return [{name: value.decode() for name, value in letter.headers or []} for letter in hosted.transactions.letters]


def flat(published: list[list[str]]) -> list[str]:
    return sorted(value for transaction in published for value in transaction)


def until_stopped(hosted: Hosted, *, ends: dict[int, int]) -> list[list[str]]:
    partitions = sorted(ends)
    return hosted.run(hosted.assign(*partitions), *[nothing] * 200, ends=ends)


# -- exceptions -------------------------------------------------------------------------------------------------------


def test_the_one_record_that_cannot_be_processed_goes_alone_to_the_dead_letters() -> None:
    hosted = Hosted(commit_interval_ms=10_000, batch_records=100)
    hosted.processor.poison = {"0/37": failing}
    published = until_stopped(hosted, ends={0: 100, 1: 20})
    assert flat(published) == sorted([f"0/{n}" for n in range(100)] + [f"1/{n}" for n in range(20)])
    (letter,) = headers(hosted)
    assert letter == {
        "stage": "a-stage", "error": "processing-failed", "reason": "ValueError: a secret",
        "topic": "in", "partition": "0", "offset": "37",
    }  # fmt: skip
    assert hosted.transactions.letters[0].value == b"0/37"
    assert ["0/37"] in published


def test_the_way_to_the_poison_takes_few_attempts() -> None:
    hosted = Hosted(batch_records=2000)
    hosted.processor.poison = {"0/1234": failing}
    until_stopped(hosted, ends={0: 2000})
    assert hosted.transactions.aborts <= 40
    assert len(hosted.processor.batches) <= 80


def test_a_record_that_fails_once_is_processed_in_the_end() -> None:
    hosted = Hosted(batch_records=10)
    once: list[int] = []

    def fail_once() -> None:
        if not once:
            once.append(1)
            raise OSError("a hiccup")

    hosted.processor.poison = {"0/3": fail_once}
    assert flat(until_stopped(hosted, ends={0: 10})) == [f"0/{n}" for n in range(10)]
    assert hosted.transactions.letters == []


def test_one_record_alone_gets_a_second_chance() -> None:
    hosted = Hosted()
    hosted.processor.poison = {"0/0": failing}
    until_stopped(hosted, ends={0: 1})
    assert hosted.processor.batches == [["0/0"], ["0/0"]]
    assert len(hosted.transactions.letters) == 1


def test_state_of_a_failed_attempt_is_dropped_before_the_next() -> None:
    state = FakeState(0)
    hosted = Hosted(state=state, batch_records=4)
    hosted.processor.poison = {"0/2": failing}
    until_stopped(hosted, ends={0: 4})
    # Together, by twos, alone: and each time the overlay is dropped.
    assert state.calls == [
        "aborted", "changelog", "committed", "aborted", "aborted", "changelog", "committed", "changelog", "committed",
    ]  # fmt: skip
    assert hosted.processor.dropped == 3


def test_afterwards_portions_are_as_large_as_before() -> None:
    hosted = Hosted(batch_records=8, commit_interval_ms=10_000)
    hosted.processor.poison = {"0/0": failing}
    until_stopped(hosted, ends={0: 1000})
    assert not hosted.isolation.careful
    assert [len(batch) for batch in hosted.processor.batches[-4:-1]] == [8, 8, 8]


@pytest.mark.parametrize("late", [False, True])
def test_what_kafka_refuses_sets_aside_the_record_from_which_it_follows(late: bool) -> None:
    hosted = Hosted(batch_records=10, commit_interval_ms=10)
    refused = hosted.transactions.refused_late if late else hosted.transactions.refused
    refused.add("0/7")
    assert flat(until_stopped(hosted, ends={0: 10})) == [f"0/{n}" for n in range(10)]
    (letter,) = headers(hosted)
    assert (letter["error"], letter["offset"]) == ("output-refused", "7")


def test_several_bad_records_among_good_ones_are_all_found() -> None:
    hosted = Hosted(batch_records=50)
    hosted.processor.poison = dict.fromkeys(["0/3", "0/4", "1/0", "1/49"], failing)
    until_stopped(hosted, ends={0: 50, 1: 50})
    assert sorted((letter["partition"], letter["offset"]) for letter in headers(hosted)) == [
        ("0", "3"), ("0", "4"), ("1", "0"), ("1", "49"),
    ]  # fmt: skip


def test_errors_that_say_what_is_wrong_with_the_service_stop_it() -> None:
    def broken() -> None:
        raise InvariantError("I4", "versions")

    hosted = Hosted()
    hosted.processor.poison = {"0/1": broken}
    with pytest.raises(InvariantError):
        until_stopped(hosted, ends={0: 3})
    assert hosted.transactions.letters == []


def test_a_dead_letter_that_is_refused_too_stops_the_service() -> None:
    hosted = Hosted()
    hosted.processor.poison = {"0/0": failing}
    hosted.transactions.refuses_letters = True
    with pytest.raises(SegwireError, match=r"partition 0 offset 0 cannot be processed, and dead-letters does not take"):
        until_stopped(hosted, ends={0: 1})


# -- limits -----------------------------------------------------------------------------------------------------------


def test_too_many_in_a_row_stop_the_service_and_a_restart_sets_no_more_aside() -> None:
    kept = Kept()
    poison = dict.fromkeys([f"0/{n}" for n in range(2, 50)], failing)
    for letters in (3, 0):
        hosted = Hosted(poison_run_records=3, poison_share_percent=100, batch_records=10, kept=kept)
        hosted.processor.poison = poison
        hosted.consumer.positions = {}
        with pytest.raises(PoisonLimitError, match="3 in a row") as stopped:
            hosted.run(hosted.assign(0), *[nothing] * 200, ends={0: 50})
        assert "a secret" not in str(stopped.value)  # it may quote a record
        assert len(hosted.transactions.letters) == letters
        poison = dict.fromkeys([f"0/{n}" for n in range(50)], failing)


def test_after_the_mending_the_line_goes_on() -> None:
    kept = Kept()
    kept.text = msgspec.json.encode(Memory(in_row=20, set_aside=20, seen=25)).decode()
    hosted = Hosted(kept=kept, poison_share_percent=100)
    hosted.processor.poison = {"0/5": failing}
    assert len(flat(until_stopped(hosted, ends={0: 10}))) == 10
    assert msgspec.json.decode(kept.text, type=Memory).in_row == 0


def test_too_large_a_share_stops_the_service_though_others_are_good() -> None:
    hosted = Hosted(poison_run_records=4, poison_share_percent=10, batch_records=5)
    hosted.processor.poison = dict.fromkeys([f"0/{n}" for n in range(0, 1000, 5)], failing)
    with pytest.raises(PoisonLimitError, match="poison_share_percent"):
        until_stopped(hosted, ends={0: 1000})
    assert len(hosted.transactions.letters) == 4


def test_a_small_share_over_a_long_time_does_not() -> None:
    hosted = Hosted(poison_run_records=4, poison_share_percent=10, batch_records=20)
    hosted.processor.poison = dict.fromkeys([f"0/{n}" for n in range(19, 400, 20)], failing)
    hosted.run(hosted.assign(0), *[nothing] * 2000, ends={0: 400})
    assert len(hosted.transactions.letters) == 20


# -- deaths -----------------------------------------------------------------------------------------------------------


def test_what_kills_the_process_three_times_alone_is_set_aside() -> None:
    kept, deaths = Kept(), 0
    stored: dict[int, TopicPartition] = {}
    published: list[list[str]] = []
    while True:
        hosted = Hosted(batch_records=64, kept=kept)
        hosted.consumer.stored = stored
        alive: list[str | None] = []

        def die(hosted: Hosted = hosted, alive: list[str | None] = alive) -> None:
            alive.append(hosted.kept.text)
            raise Death

        hosted.processor.poison = {"0/40": die}
        try:
            until_stopped(hosted, ends={0: 64})
        except Death:
            deaths += 1
            kept.text = alive[-1]
            published += hosted.transactions.committed
            stored = hosted.consumer.stored
            assert deaths < 10
            continue
        break
    # Nobody knew of which record the first died, and of the portion of the second it was one.
    assert deaths == 2 + 3
    (letter,) = headers(hosted)
    assert (letter["error"], letter["offset"]) == ("process-died", "40")
    assert letter["reason"] == "3 processes died while they processed this record alone"
    assert flat(published + hosted.transactions.committed) == sorted(f"0/{n}" for n in range(64))


def killed_again_and_again(place: Place, *, while_processing: bool) -> Isolation:
    """Return what the tenth process knows of a record at which the others were killed from outside."""
    kept = Kept()
    record = InputRecord(0, 7, None, b"good", None, 0)
    for _ in range(10):
        isolation = Isolation(place, FanOutSettings(), Attempts(kept))
        isolation.begin()
        isolation.portion({0: 7})
        assert list(isolation.split([record], {0: 7})[0]) == [record]
        if isolation.begin_attempt([record]) is None and not while_processing:
            isolation.attempted()
    return isolation


def test_kills_between_processing_and_commit_speak_against_no_record() -> None:
    isolation = killed_again_and_again(Place("test", "a-stage", "in", "dead-letters"), while_processing=False)
    assert isolation.begin_attempt([InputRecord(0, 7, None, b"good", None, 0)]) is None


@pytest.mark.parametrize("waits", [True, False])
def test_kills_while_others_are_waited_for_speak_against_no_record(waits: bool) -> None:
    place = Place("test", "a-stage", "in", "dead-letters", waits)
    isolation = killed_again_and_again(place, while_processing=True)
    is_set_aside = isolation.begin_attempt([InputRecord(0, 7, None, b"good", None, 0)]) is not None
    assert is_set_aside is not waits


def test_after_a_death_portions_begin_small_and_grow() -> None:
    kept = Kept()
    kept.text = msgspec.json.encode(Memory(running=True)).decode()
    hosted = Hosted(kept=kept, batch_records=16, max_transaction_records=100, commit_interval_ms=10_000)
    published = hosted.run(hosted.assign(0), *[nothing] * 300, hosted.stop.set, ends={0: 200})
    assert [len(transaction) for transaction in published] == [1, 2, 4, 8, 16, 32, 64, 73]
    assert max(map(len, hosted.processor.batches)) == 16
    assert not hosted.isolation.careful


def test_backpressure_within_a_large_portion_keeps_what_was_done_before() -> None:
    kept = Kept()
    kept.text = msgspec.json.encode(Memory(running=True)).decode()
    hosted = Hosted(kept=kept, batch_records=2)

    def press_once() -> None:
        del hosted.processor.poison["0/6"]
        hosted.processor.pressures = [Backpressure(1, processed=1)]

    hosted.processor.poison["0/6"] = press_once
    published = hosted.run(hosted.assign(0), *[hosted.wait(2)] * 30, ends={0: 20})
    assert [value for transaction in published for value in transaction] == [f"0/{n}" for n in range(20)]
    assert published[2] == ["0/3", "0/4", "0/5"]


def test_an_idle_topic_ends_the_caution() -> None:
    kept = Kept()
    kept.text = msgspec.json.encode(Memory(running=True)).decode()
    hosted = Hosted(kept=kept)
    hosted.consumer.tells_ends = True
    hosted.run(hosted.assign(0), nothing, nothing, nothing, ends={0: 1})
    assert not hosted.isolation.careful


def test_a_process_that_ended_alive_leaves_no_suspicion() -> None:
    kept = Kept()
    hosted = Hosted(kept=kept)
    until_stopped(hosted, ends={0: 3})
    again = Hosted(kept=kept)
    until_stopped(again, ends={0: 3})
    assert again.processor.batches == [["0/0", "0/1", "0/2"]]
    assert not again.isolation.careful


def test_while_all_is_well_nothing_is_written_but_beginning_and_end() -> None:
    hosted = Hosted(batch_records=1)
    until_stopped(hosted, ends={0: 20})
    assert hosted.kept.saved == 2


def test_suspects_that_come_with_the_very_fetch_that_brings_their_partition_are_tried_alone() -> None:
    kept = Kept()
    kept.text = msgspec.json.encode(Memory(suspects={0: Suspect(1, 3, 1)})).decode()
    hosted = Hosted(kept=kept)

    def assigned_and_fetched() -> None:
        hosted.assign(0)()
        hosted.consumer.already_fetched = [FakeMessage(0, offset) for offset in range(4)]
        hosted.consumer.positions[0] = 4

    def as_before() -> None:
        hosted.consumer.already_fetched = []

    assert flat(hosted.run(assigned_and_fetched, as_before, *[nothing] * 20, ends={0: 4})) == [
        "0/0", "0/1", "0/2", "0/3",
    ]  # fmt: skip
    assert hosted.processor.batches == [["0/0"], ["0/1"], ["0/2"], ["0/3"]]


def test_suspects_that_others_have_processed_are_forgotten() -> None:
    kept = Kept()
    kept.text = msgspec.json.encode(Memory(suspects={0: Suspect(2, 3, 3), 9: Suspect(0, 1, 3)})).decode()
    hosted = Hosted(kept=kept)
    hosted.consumer.positions = {}
    until_stopped(hosted, ends={0: 2, 1: 1})
    assert hosted.transactions.letters == []


def test_a_file_that_cannot_be_read_is_as_none() -> None:
    kept = Kept()
    kept.text = '{"running": "perhaps"}'
    hosted = Hosted(kept=kept)
    assert until_stopped(hosted, ends={0: 1}) == [["0/0"]]


def test_a_file_that_cannot_be_written_stops_nothing() -> None:
    class Full(Kept):
        def save(self, text: str) -> None:
            raise OSError(f"no space left for {text}")

    hosted = Hosted(kept=Full())
    assert until_stopped(hosted, ends={0: 1}) == [["0/0"]]


# -- what goes on meanwhile -------------------------------------------------------------------------------------------


def test_what_timers_do_meanwhile_is_committed_apart_from_the_records() -> None:
    hosted = Hosted(batch_records=8)
    hosted.consumer.step_s = 0.3
    hosted.processor.poison = {"0/3": failing}
    hosted.processor.due = [b"expired"]
    published = until_stopped(hosted, ends={0: 8})
    assert ["expired"] in published


def test_timers_alone_are_no_success_of_records() -> None:
    kept = Kept()
    kept.text = msgspec.json.encode(Memory(in_row=7, set_aside=7, seen=7)).decode()
    hosted = Hosted(kept=kept)
    hosted.consumer.step_s = 0.6
    hosted.consumer.stored[0] = TopicPartition("in", 0, 0)

    def fall_due() -> None:
        hosted.processor.due = [b"expired"]

    assert hosted.run(hosted.assign(0), *[fall_due] * 4, nothing) != []
    assert hosted.isolation._attempts.memory.in_row == 7


def test_what_timers_publish_and_kafka_refuses_stops_the_service() -> None:
    hosted = Hosted(batch_records=8)
    hosted.consumer.step_s = 0.3
    hosted.transactions.refused = {"expired"}
    hosted.processor.due = [b"expired"]
    with pytest.raises(SegwireError, match="what follows from timers cannot be published"):
        hosted.run(hosted.assign(0), *[nothing] * 50, ends={0: 1})
