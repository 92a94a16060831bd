"""Users put together into messages."""

from sinks.outbound.packing import SEGMENTS_PER_MESSAGE_MAX, Delivery, pack
from sinks.outbound.rules import Decision, Entry
from sinks.outbound.state import UserState


def delivery(name: str, *partners: str, segments: int = 1) -> Delivery:
    entries = tuple(Entry(str(number), str(number), True, 1, 1) for number in range(segments))
    return Delivery(name.encode(), name, UserState(partners=list(partners)), Decision((), entries), (0, 0))


def shape(*deliveries: Delivery, max_users: int = 10) -> list[list[tuple[str, str | None]]]:
    return [[(user.aam_uuid, user.partner_uuid) for user in message] for message in pack(deliveries, max_users)]


def test_a_message_holds_at_most_the_users_that_are_allowed() -> None:
    assert [len(users) for users in shape(*(delivery(str(number), "p") for number in range(25)))] == [10, 10, 5]
    assert shape() == []


def test_every_synced_id_has_an_entry_of_its_own() -> None:
    assert shape(delivery("a", "p", "q"), delivery("b", "r"), max_users=2) == [
        [("a", "p"), ("a", "q")],
        [("b", "r")],
    ]


def test_a_user_without_a_synced_id_goes_under_the_aam_id_alone() -> None:
    assert shape(delivery("a")) == [[("a", None)]]


def test_entries_that_are_done_are_left_out() -> None:
    both = delivery("a", "p", "q")
    done = {next(both.entries())}
    assert [[user.partner_uuid for user in users] for users in pack([both], 10, done)] == [["q"]]


def test_a_message_does_not_grow_without_bound() -> None:
    large = SEGMENTS_PER_MESSAGE_MAX // 2 + 1
    found = shape(delivery("a", segments=large), delivery("b", segments=large), delivery("c", segments=large * 3))
    assert [len(users) for users in found] == [1, 1, 1]
