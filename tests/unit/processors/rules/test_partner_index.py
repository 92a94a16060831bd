import pytest

from processors.rules.partner_index import (
    MAX_USERS,
    PartnerState,
    apply_identity,
    decode_partner_state,
    encode_partner_state,
)
from schemas.privacy import IdentityRecord, PrivacyRequest


def _synced(user: str, at: int = 10) -> IdentityRecord:
    return IdentityRecord(kind="synced", dpid=1, partner_uuid="p", at=at, aam_uuid=user)


def _unsynced(user: str) -> IdentityRecord:
    return IdentityRecord(kind="unsynced", dpid=1, partner_uuid="p", at=20, aam_uuid=user)


def _request(at: int = 30) -> IdentityRecord:
    return IdentityRecord(kind="privacy", dpid=1, partner_uuid="p", at=at, request_id="r")


def _removal(user: str, at: int = 30) -> PrivacyRequest:
    return PrivacyRequest(aam_uuid=user, requested_at=at, request_id="r")


def _after(*records: IdentityRecord) -> tuple[PartnerState, list[PrivacyRequest]]:
    state = PartnerState()
    return state, [removal for record in records for removal in apply_identity(state, record)]


def test_a_request_removes_every_user_that_has_the_id() -> None:
    assert _after(_synced("a"), _synced("b"), _request())[1] == [_removal("a"), _removal("b")]


def test_a_user_that_no_longer_has_the_id_is_not_removed() -> None:
    assert _after(_synced("a"), _synced("b"), _unsynced("a"), _request())[1] == [_removal("b")]


def test_a_request_for_an_id_that_nobody_has_removes_nobody() -> None:
    assert _after(_request())[1] == []


def test_a_sync_of_before_the_request_that_comes_after_it_is_removed_too() -> None:
    assert _after(_request(), _synced("late", at=29))[1] == [_removal("late")]


def test_a_sync_of_after_the_request_is_not_removed() -> None:
    assert _after(_request(), _synced("new", at=31))[1] == []


def test_a_repeated_sync_is_one_user() -> None:
    assert _after(_synced("a"), _synced("a"))[0].users == ["a"]


def test_an_id_of_very_many_users_keeps_the_latest() -> None:
    state, _ = _after(*(_synced(str(number)) for number in range(MAX_USERS + 1)))
    assert (len(state.users), state.users[0]) == (MAX_USERS, "1")


def test_state_comes_back_as_it_was() -> None:
    state = PartnerState(offset=4, users=["a"], removed_at=9, request_id="r")
    assert decode_partner_state(encode_partner_state(state)) == state


def test_state_of_a_newer_release_is_refused() -> None:
    with pytest.raises(ValueError, match="version 7f, this release knows 01"):
        decode_partner_state(b"\x7f\x90")
