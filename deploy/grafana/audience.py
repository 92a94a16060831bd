"""Audience: how many, who comes and goes, and why. No metric names a user."""

from deploy.grafana.board import Board, Choice, Panel, Query, Row, graph, level, rate, risen, stat

_CHANGES = "segwire_membership_changes_total"
_ENTERED, _EXITED = f'{_CHANGES}{{change="ENTERED"}}', f'{_CHANGES}{{change="EXITED"}}'
_CHOSEN = 'segment=~"$segment"'
_SIZES = f"segwire_membership_segment_active{{{_CHOSEN}}}"
_SEGMENT_CHANGES = "segwire_membership_segment_changes_total"
_SEGMENT_ENTERED = f'{_SEGMENT_CHANGES}{{{_CHOSEN},change="ENTERED"}}'
_SEGMENT_EXITED = f'{_SEGMENT_CHANGES}{{{_CHOSEN},change="EXITED"}}'

_CAUSES = "DISQUALIFIED: by the sender. EXPIRED: time-to-live. INACTIVE_USER: not seen for long. PRIVACY: on request."

_SIZE = Row(
    "How many",
    (
        stat(
            "Users",
            "With a state, removed ones whose marker is kept included.",
            "sum(segwire_membership_users)",
            width=6,
        ),
        stat("Memberships", "Active: one user in one segment each.", "sum(segwire_membership_active)", width=6),
        stat(
            "Entered, 24 h",
            "Memberships that began.",
            f"ceil({risen(_ENTERED, window='24h', seldom=True).expr})",
            width=6,
        ),
        stat(
            "Left, 24 h",
            "Memberships that ended, for whatever cause.",
            f"ceil({risen(_EXITED, window='24h', seldom=True).expr})",
            width=6,
        ),
    ),
)
_WHY = Row(
    "Who comes and goes, and why",
    (
        graph(
            "Active memberships",
            "Over all processes. While a process restores, its partitions are not counted.",
            level("segwire_membership_active", legend="active"),
        ),
        graph("Entered and left", "Memberships per second.", rate(_CHANGES, "change"), unit="cps"),
        graph("Why they left", _CAUSES, rate(_EXITED, "cause", seldom=True), unit="cps"),
    ),
)
_SEGMENTS = Row(
    "Segment by segment: those of membership.metrics_segments",
    (
        Panel(
            title="Size",
            means="Active memberships now, over all destinations; the twenty largest of the chosen segments.",
            queries=(Query(f"topk(20, {level(_SIZES, 'segment').expr})", "{{segment}}"),),
            kind="stat",
            width=24,
        ),
        graph("Size over time", "Each of the chosen segments.", level(_SIZES, "segment"), width=12),
        graph(
            "Growth, 24 h",
            "Entered less left.",
            Query(
                f"{risen(_SEGMENT_ENTERED, 'segment', window='24h').expr} "
                f"- {risen(_SEGMENT_EXITED, 'segment', window='24h').expr}",
                "{{segment}}",
            ),
            width=12,
        ),
        graph("Entered", "Memberships per second.", rate(_SEGMENT_ENTERED, "segment"), unit="cps"),
        graph("Left", "Memberships per second, for whatever cause.", rate(_SEGMENT_EXITED, "segment"), unit="cps"),
        graph("Why they left", _CAUSES, rate(_SEGMENT_EXITED, "cause"), unit="cps"),
    ),
)

AUDIENCE = Board(
    name="audience",
    title="Audience",
    means="How many users and memberships there are, who enters and leaves, and why; of some segments one by one.",
    rows=(_SIZE, _WHY, _SEGMENTS),
    choices=(Choice(name="segment", label="Segment", series="segwire_membership_segment_active"),),
)
