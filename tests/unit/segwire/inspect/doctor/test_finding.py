"""What a check found, in words and as an exit code."""

import json

import msgspec
import pytest

from segwire.inspect.doctor.finding import Finding, exit_code, format_finding

FINE = Finding("disk", ok=True, value="77.1 GiB free")
BAD = Finding("disk", False, "0.1 GiB free", "make room")
SKIPPED = Finding("topics", None, "not checked")


def test_failure_says_its_remedy_below() -> None:
    assert format_finding(FINE) == "✓ disk: 77.1 GiB free"
    assert format_finding(BAD) == "✗ disk: 0.1 GiB free\n    make room"
    assert format_finding(SKIPPED) == "? topics: not checked"


def test_several_lines_stay_several_lines() -> None:
    text = format_finding(Finding("configuration", False, "wrong:\n  a: unknown", "mend it"))
    assert text.splitlines() == ["✗ configuration: wrong:", "    a: unknown", "    mend it"]


def test_json_shape() -> None:
    assert json.loads(msgspec.json.encode([BAD])) == [
        {"check": "disk", "ok": False, "value": "0.1 GiB free", "remedy": "make room"}
    ]


@pytest.mark.parametrize(
    ("findings", "configured", "code"),
    [([FINE, SKIPPED], True, 0), ([FINE, BAD], True, 1), ([FINE], False, 2), ([BAD], False, 2), ([], True, 0)],
)
def test_exit_code(findings: list[Finding], configured: bool, code: int) -> None:
    assert exit_code(findings, configured=configured) == code
