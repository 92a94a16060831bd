"""Audience: how many, who comes and goes, and why. No metric names a user."""

from deploy.grafana.board import Board, Panel, Query, Row, stat

_CHANGES = "segwire_membership_changes_total"

_SIZE = Row(
    "How many",
    (
        stat("Users", "With a state, removed ones whose marker is kept included.", "sum(segwire_membership_users)"),
        stat("Memberships", "Active: one user in one segment each.", "sum(segwire_membership_active)"),
        stat(
            "Entered, 24 h",
            "Memberships that began.",
            f'ceil(sum(increase({_CHANGES}{{change="ENTERED"}}[24h])) or vector(0))',
        ),
        stat(
            "Left, 24 h",
            "Memberships that ended, for whatever cause.",
            f'ceil(sum(increase({_CHANGES}{{change="EXITED"}}[24h])) or vector(0))',
        ),
        Panel(
            title="Active memberships",
            means="Over all processes. While a process restores, its partitions are not counted.",
            queries=(Query("sum(segwire_membership_active)", "active"),),
        ),
    ),
)
_WHY = Row(
    "Who comes and goes, and why",
    (
        Panel(
            title="Entered and left",
            means="Memberships per second.",
            queries=(Query(f"sum by (change) (rate({_CHANGES}[$__rate_interval]))", "{{change}}"),),
            unit="cps",
            width=12,
        ),
        Panel(
            title="Why they left",
            means="DISQUALIFIED: the sender said so. EXPIRED: time-to-live. INACTIVE_USER: not seen for long. "
            "PRIVACY: removed on request.",
            queries=(
                Query(
                    f'sum by (cause) (rate({_CHANGES}{{change="EXITED"}}[$__rate_interval])) or vector(0)', "{{cause}}"
                ),
            ),
            unit="cps",
            width=12,
        ),
    ),
)

AUDIENCE = Board(
    name="audience",
    title="Audience",
    means="How many users and memberships there are, who enters and leaves, and why.",
    rows=(_SIZE, _WHY),
)
