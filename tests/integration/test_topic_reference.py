"""The Python example of `docs/TOPICS.md`, as it is printed there, against a real Kafka."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from segwire.embedded.kafka.interface import KafkaServer
from tests.support.inspecting import Bench
from tests.support.kafka import LIMIT_S
from tests.support.published import USER, row

ROOT = Path(__file__).parents[2]


def example() -> str:
    """Return the program of the page."""
    page = (ROOT / "docs" / "TOPICS.md").read_text(encoding="utf-8")
    (found,) = re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    return str(found)


def run_example(servers: str, topic: str, folder: Path) -> list[dict[str, Any]]:
    program = folder / "example.py"
    text = example()
    for shown, meant in ((f'"{address}"', f'"{servers}"') for address in re.findall(r'"(127[^"]+)"', text)):
        text = text.replace(shown, meant)
    program.write_text(text.replace('"segment-membership"', f'"{topic}"'), encoding="utf-8")
    ended = subprocess.run(
        [sys.executable, program], cwd=ROOT, capture_output=True, text=True, timeout=LIMIT_S, check=False
    )
    assert ended.returncode == 0, ended.stderr
    return [json.loads(line) for line in ended.stdout.splitlines()]


def test_example_tells_who_is_in_which_segment_now(
    kafka: KafkaServer, topic_prefix: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bench = Bench(kafka, topic_prefix, tmp_path, capsys)
    bench.run("topics", "apply")
    with bench.transaction() as published:
        published.row(row(segment_id="stays"))
        published.row(row(segment_id="leaves"))
        published.row(row(segment_id="removed", status="INACTIVE", cause="PRIVACY"))
        published.row(row(segment_id="removed"), tombstone=True)
        published.row(row(segment_id="leaves", status="INACTIVE", cause="EXPIRED", version=2))
    with bench.transaction(commit=False) as published:
        published.row(row(segment_id="never"))

    found = run_example(bench.servers, f"{topic_prefix}segment-membership", tmp_path)

    assert [(each["aam_uuid"], each["segment_id"], each["cause"]) for each in found] == [(USER, "stays", "QUALIFIED")]
