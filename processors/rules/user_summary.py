"""The first fields of a stored user, which are read without the rest."""

import msgspec


class UserSummary(msgspec.Struct, array_like=True, gc=False):
    """The fields of `UserState` of the same names."""

    offset: int
    version: int
    seen_day: int
    due_at: int
    removed_at: int
    active: int
    rules: int
