"""The partner IDs synced to a user. Pure. Source: spec §3 and §4."""

from schemas.event import Partner

MAX_PARTNERS = 1000


def add_partner(partners: list[Partner], partner: Partner) -> bool:
    """Remember a partner ID, the oldest going where there are too many; return whether it was new.

    An ID seen again keeps its place: first in, first out.
    """
    if partner in partners:
        return False
    partners.append(partner)
    if len(partners) > MAX_PARTNERS:
        del partners[0]
    return True
