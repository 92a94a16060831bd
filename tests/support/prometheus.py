"""A real Prometheus and its promtool: those installed, else Debian's package unpacked below the user's cache.

`python -m tests.support.prometheus` fetches the package, without root, where there are `apt-get` and `dpkg`.
"""

import json
import shutil
import subprocess
import sys
import tempfile
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import yaml

from segwire.up.ports import free_port
from tests.support.kafka import wait_until

CACHE = Path.home() / ".cache" / "segwire" / "prometheus"
MISSING = (
    "neither installed nor fetched: `make prometheus` fetches it (Debian and Ubuntu, no root), or install Prometheus"
)

Sample = tuple[dict[str, str], float]
Course = tuple[dict[str, str], list[tuple[float, float]]]


def find(name: str) -> Path | None:
    """Return the program `prometheus` or `promtool`, None where there is none."""
    installed = shutil.which(name)
    if installed is not None:
        return Path(installed)
    fetched = CACHE / "usr" / "bin" / name
    return fetched if fetched.exists() else None


def fetch() -> None:
    """Unpack Debian's package below the user's cache.

    Raises:
        subprocess.CalledProcessError: there is no such package, or no network.
        FileNotFoundError: this is no Debian.
    """
    with tempfile.TemporaryDirectory() as folder:
        lists = ["-o", f"Dir::State::Lists={folder}/lists", "-o", f"Dir::Cache={folder}/cache"]
        Path(folder, "lists", "partial").mkdir(parents=True)
        Path(folder, "cache", "archives", "partial").mkdir(parents=True)
        subprocess.run(["apt-get", *lists, "-qq", "update"], check=True, timeout=300)
        subprocess.run(["apt-get", *lists, "-qq", "download", "prometheus"], cwd=folder, check=True, timeout=300)
        (package,) = Path(folder).glob("prometheus_*.deb")
        CACHE.mkdir(parents=True, exist_ok=True)
        subprocess.run(["dpkg", "-x", package, CACHE], check=True, timeout=60)


class Prometheus:
    """A server that can be asked."""

    def __init__(self, url: str) -> None:
        self._url = url

    def query(self, expr: str) -> list[Sample]:
        """Return what an expression gives now."""
        result = self._get("query", query=expr)["result"]
        return [(sample["metric"], float(sample["value"][1])) for sample in result]

    def query_range(self, expr: str, since_s: float, until_s: float, step_s: float) -> list[Course]:
        """Return what an expression gave at each step of a time."""
        times = {"start": f"{since_s:.0f}", "end": f"{until_s:.0f}", "step": f"{step_s:g}"}
        result = self._get("query_range", query=expr, **times)["result"]
        return [(series["metric"], [(at_s, float(value)) for at_s, value in series["values"]]) for series in result]

    def names(self) -> set[str]:
        """Return the name of every series that was ever scraped."""
        return set(self._get("label/__name__/values"))

    def ready(self) -> bool:
        """Tell whether it answers."""
        try:
            with urllib.request.urlopen(f"{self._url}/-/ready", timeout=5) as answer:
                return int(answer.status) == 200
        except OSError:
            return False

    def _get(self, what: str, **parameters: str) -> Any:
        query = urllib.parse.urlencode(parameters)
        with urllib.request.urlopen(f"{self._url}/api/v1/{what}?{query}", timeout=30) as answer:
            return json.load(answer)["data"]


@contextmanager
def running_prometheus(folder: Path, targets: Mapping[str, str], rules: Path) -> Iterator[Prometheus]:
    """Run a server that scrapes `targets`, HOST:PORT by job, each second."""
    program = find("prometheus")
    assert program is not None, f"prometheus: {MISSING}"
    folder.mkdir(parents=True)
    configuration = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "5s"},
        "rule_files": [str(rules)],
        "scrape_configs": [
            {"job_name": job, "static_configs": [{"targets": [address]}]} for job, address in targets.items()
        ],
    }
    (folder / "prometheus.yml").write_text(yaml.safe_dump(configuration), encoding="utf-8")
    address = f"127.0.0.1:{free_port('127.0.0.1', set())}"
    command = [str(program), f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={folder / 'data'}"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([*command, f"--web.listen-address={address}"], stdout=log, stderr=log)
    try:
        server = Prometheus(f"http://{address}")
        wait_until(server.ready, "Prometheus answers")
        yield server
    finally:
        process.terminate()
        process.wait(30)


if __name__ == "__main__":
    if find("prometheus") is None or find("promtool") is None:
        fetch()
    click.echo(f"prometheus: {find('prometheus')}\npromtool: {find('promtool')}")
    sys.exit(0)
