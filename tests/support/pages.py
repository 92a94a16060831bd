"""Runs the commands of a page as its reader would: in the folder of the clone, beside a running `segwire up`."""

import json
import os
import re
import signal
import subprocess
import time
from pathlib import Path

from tests.support.documented import Block, Step, blocks, steps, unlike
from tests.support.stack import LIMIT_S, Completed, Up

ROOT = Path(__file__).parents[2]
# As the pages name them, which are the defaults; a test's own pipeline has others.
_PORTS = {"8080": "ingest", "8081": "ingest-management", "8082": "fan-out-management", "8083": "membership-management"}
_KAFKA = "127.0.0.1:19092"


class Reader:
    """Somebody with a terminal in a folder that looks like the clone."""

    def __init__(self, up: Up, folder: Path) -> None:
        """Make the folder: `up`'s data where it is by default, and what the pages read of the clone."""
        self._up = up
        self._folder = folder
        folder.mkdir()
        (folder / ".segwire").symlink_to(up.data_dir)
        for name in ("schemas", "deploy"):
            (folder / name).symlink_to(ROOT / name)
        commands = Path(up.segwire.command()[0]).parent
        # By both names, as pages say `.venv/bin/segwire` where nothing is activated.
        (folder / ".venv").symlink_to(commands.parent)
        self._environment = {**up.segwire.environment(), "PATH": f"{commands}:{os.environ['PATH']}"}
        kafka = json.loads((up.data_dir / "up.json").read_text(encoding="utf-8"))["kafka"]
        self._addresses = {_KAFKA: kafka["bootstrap_servers"]} | {
            f"127.0.0.1:{port}": up.urls[name].removeprefix("http://") for port, name in _PORTS.items()
        }

    def follow(self, page: str) -> int:
        """Run every command of the page in its order, comparing what is answered; return how many there were."""
        count = 0
        for block in blocks(page):
            count += self.do(block)
        return count

    def do(self, block: Block) -> int:
        """Run the commands of one block, or write the file that it is."""
        if block.mark.startswith("file: "):
            (self._folder / block.mark.removeprefix("file: ")).write_text(self._here(block.text), encoding="utf-8")
        if block.language != "console":
            return 0
        found = steps(block)
        for step in found:
            self._take(step)
        return len(found)

    def _take(self, step: Step) -> None:
        command = self._here(step.command)
        if "--follow" in command:
            self._watch(command)
            return
        # What was posted a moment ago takes a moment, so whoever only asks asks again.
        only_asks = re.match(r"(\S*/)?segwire ", command) is not None
        limit_s = time.monotonic() + (LIMIT_S if only_asks else 0)
        while (wrong := self._wrong(step, command)) is not None:
            assert time.monotonic() < limit_s, wrong

    def _wrong(self, step: Step, command: str) -> str | None:
        done = self._run(command)
        printed = done.stdout + done.stderr
        missing = unlike(step.answer, printed)
        if done.returncode == 0 and missing is None:
            return None
        wanted = "" if missing is None else f"\nwithout the line {missing!r}"
        return f"$ {command}\n{printed}\nexit code {done.returncode}{wanted}"

    def _here(self, text: str) -> str:
        for shown, meant in self._addresses.items():
            text = text.replace(shown, meant)
        return text

    def _run(self, command: str) -> Completed:
        return subprocess.run(
            ["bash", "-c", f"set -o pipefail\n{command}"],
            cwd=self._folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )

    def _watch(self, command: str) -> None:
        """Run what never ends until it has said something."""
        with subprocess.Popen(
            command, shell=True, cwd=self._folder, env=self._environment, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, text=True, start_new_session=True,
        ) as process:  # fmt: skip
            assert process.stdout is not None
            line = process.stdout.readline()
            os.killpg(process.pid, signal.SIGINT)
        assert line, f"{command!r} says nothing"
