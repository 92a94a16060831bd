"""What a check found."""

from collections.abc import Sequence

import msgspec

from segwire.inspect.columns import one_line

_MARKS = {True: "✓", False: "✗", None: "?"}


class Finding(msgspec.Struct, frozen=True):
    """One thing that was checked. `ok` is None where it could not be; `remedy` says what to do about it."""

    check: str
    ok: bool | None
    value: str
    remedy: str | None = None


def format_finding(finding: Finding) -> str:
    """Write a finding: its mark, what was found and, below it, the remedy."""
    first, *more = finding.value.splitlines() or [""]
    below = [*more, *(finding.remedy or "").splitlines()]
    lines = [f"{_MARKS[finding.ok]} {finding.check}: {first}", *(f"    {line.strip()}" for line in below)]
    return "\n".join(one_line(line, 1000) for line in lines)


def exit_code(findings: Sequence[Finding], *, configured: bool) -> int:
    """Return 0 where all is fine, 1 on a finding, 2 where the configuration itself is wrong."""
    if not configured:
        return 2
    return 1 if any(finding.ok is False for finding in findings) else 0
