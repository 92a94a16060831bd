from click.testing import CliRunner

from ingest.spool.inspection import SegmentReport, SourceReport, SpoolReport
from ingest.spool.lock import Holder
from segwire.cli.main import cli
from segwire.cli.spool import format_reports

NOW_MS = 1_795_334_400_000


def _report(held_by: Holder | None) -> SpoolReport:
    segment = SegmentReport("1.spool", 5000, 12, 3, 40, 7, NOW_MS - 61_500)
    source = SourceReport("adobe", 3, NOW_MS - 61_500)
    return SpoolReport("spool/worker-0", held_by, "sound", [source], [segment], 12, 3, 5000, NOW_MS - 61_500, 2, 80)


def test_report_tells_what_is_pending_since_when_and_what_was_damaged() -> None:
    text = format_reports([_report(Holder(17, "segwire ingest", 0))], NOW_MS)

    assert "held by   process 17 (segwire ingest)" in text
    assert "pending   3 of 12 records" in text
    assert "oldest    61.5 s" in text
    assert "corrupt   2 set aside, 80 bytes" in text
    assert "adobe   3        61.5 s" in text
    assert "1.spool  5,000  12       3        61.5 s  40       7" in text


def test_spool_of_nobody_is_told_as_such() -> None:
    assert "held by   nobody" in format_reports([_report(None)], NOW_MS)


def test_help_has_an_example() -> None:
    assert (
        "segwire spool inspect"
        in CliRunner().invoke(cli, ["spool", "inspect", "--help"]).output.partition("Example")[2]
    )
