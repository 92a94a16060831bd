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
    line = f"{_MARKS[finding.ok]} {finding.check}: {one_line(finding.value, 1000)}"
    return f"{line}\n    {one_line(finding.remedy, 1000)}" if finding.remedy else line


def exit_code(findings: Sequence[Finding], *, configured: bool) -> int:
    """Return 0 where all is fine, 1 on a finding, 2 where the configuration itself is wrong."""
    if not configured:
        return 2
    return 1 if any(finding.ok is False for finding in findings) else 0
