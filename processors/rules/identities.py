"""The partner IDs synced to a user. Pure. Source: spec §3 and §4."""

from schemas.event import Partner

MAX_PARTNERS = 1000


def with_partner(partners: list[Partner], partner: Partner) -> list[Partner]:
    """Return the partner IDs with one more, the oldest gone where there are too many.

    An ID seen again keeps its place (first in, first out), and the same list is returned. The list given stays as
    it is: what was told before still holds it.
    """
    if partner in partners:
        return partners
    return [*partners, partner][-MAX_PARTNERS:]
