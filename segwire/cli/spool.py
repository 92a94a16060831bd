"""`segwire spool`: look at what ingest keeps on disk until Kafka takes it."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from segwire.cli.options import config_option, data_dir_option, json_option, read_settings

if TYPE_CHECKING:
    from ingest.spool.inspection import SpoolReport


@click.group(name="spool")
def command() -> None:
    """Look at what ingest keeps on disk until Kafka takes it."""


@command.command(
    epilog="\b\nExamples:\n  segwire spool inspect\n  segwire spool inspect --data-dir /var/lib/segwire --json"
)
@config_option
@data_dir_option
@json_option
def inspect(config: Path | None, data_dir: Path | None, as_json: bool) -> None:
    """Show every spool's segments, records, bytes, age, cursor and damage; safe beside a running ingest."""
    from ingest.spool.inspection import inspect_spools
    from ingest.spool.layout import spool_parent
    from runtime.clock import SystemClock
    from segwire.inspect.output import until_pipe_closes

    parent = spool_parent(Path(read_settings(config, data_dir).data_dir))
    reports = inspect_spools(parent)
    now_ms = SystemClock().now_ms()
    with until_pipe_closes():
        if as_json:
            click.echo(msgspec.json.encode([_as_json(report, now_ms) for report in reports]))
        else:
            click.echo(format_reports(reports, now_ms) if reports else f"no spool in {parent}")


def format_reports(reports: Sequence["SpoolReport"], now_ms: int) -> str:
    """Write each spool with a table of its segments."""
    return "\n\n".join(_format_report(report, now_ms) for report in reports)


def _format_report(report: "SpoolReport", now_ms: int) -> str:
    from segwire.inspect.columns import format_columns

    holder = report.held_by
    lines = [
        report.directory,
        f"  held by   {f'process {holder.pid} ({holder.command})' if holder else 'nobody'}",
        f"  pending   {report.pending_records:,} of {report.records:,} records",
        f"  size      {report.size_bytes:,} bytes in {len(report.segments)} segments",
        f"  oldest    {_age(report.oldest_ms, now_ms)}",
        f"  cursor    {report.cursor}",
        f"  corrupt   {report.corrupt_files} set aside, {report.corrupt_bytes:,} bytes",
    ]
    if report.sources:
        waiting = [(s.source, f"{s.pending_records:,}", _age(s.oldest_ms, now_ms)) for s in report.sources]
        lines.append(format_columns(("SOURCE", "PENDING", "OLDEST"), waiting))
    if report.segments:
        rows = [
            (
                segment.file,
                f"{segment.size_bytes:,}",
                f"{segment.records:,}",
                f"{segment.pending_records:,}",
                _age(segment.oldest_ms, now_ms),
                f"{segment.damaged_bytes:,}",
                f"{segment.unfinished_bytes:,}",
            )
            for segment in report.segments
        ]
        lines.append(
            format_columns(("SEGMENT", "BYTES", "RECORDS", "PENDING", "OLDEST", "DAMAGED", "UNFINISHED"), rows)
        )
    return "\n".join(lines)


def _age(oldest_ms: int | None, now_ms: int) -> str:
    return "-" if oldest_ms is None else f"{max(0, now_ms - oldest_ms) / 1000:,.1f} s"


def _as_json(report: "SpoolReport", now_ms: int) -> dict[str, object]:
    age_ms = None if report.oldest_ms is None else max(0, now_ms - report.oldest_ms)
    return {**msgspec.structs.asdict(report), "oldest_age_ms": age_ms}
