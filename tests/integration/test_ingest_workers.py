"""Several endpoints on one port, against a real Kafka."""

import http.client
import re
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest

from runtime.settings import KafkaSettings
from tests.support.certificates import Mounted, client_context
from tests.support.harm import HarmedKafka, metric, stored, wait_until_empty
from tests.support.ingest_process import IngestProcess, exchange, running_ingest, with_topics
from tests.support.kafka import LIMIT_S, wait_until
from tests.support.load import payload

TWO = ["--workers", "2"]


@pytest.fixture
def kafka(tmp_path: Path) -> Iterator[HarmedKafka]:
    harmed = HarmedKafka(tmp_path / "kafka")
    yield harmed
    harmed.stop()


@pytest.fixture
def topics(kafka: HarmedKafka, topic_prefix: str) -> KafkaSettings:
    return with_topics(kafka.bootstrap_servers, topic_prefix)


def worker_pids(ingest: IngestProcess) -> dict[int, int]:
    """Return the processes by the worker's number."""
    found = {}
    for child in psutil.Process(ingest.process.pid).children():
        with suppress(psutil.Error):  # it has just ended
            if title := re.match(r"segwire ingest worker (\d+)", " ".join(child.cmdline())):
                found[int(title[1])] = child.pid
    return found


def accepted_by(ingest: IngestProcess) -> dict[str, float]:
    """Return how many messages each worker answered 200."""
    exposition = ingest.get_management("/metrics").body.decode()
    pattern = r'segwire_ingest_answers_total\{[^}]*status="200"[^}]*worker="(\d)"\} (\S+)'
    return {worker: float(value) for worker, value in re.findall(pattern, exposition)}


def test_workers_share_the_port_and_one_that_dies_is_started_again(topics: KafkaSettings, tmp_path: Path) -> None:
    with running_ingest(topics, tmp_path, TWO) as ingest:
        assert [ingest.post(payload(number)).status for number in range(60)] == [200] * 60
        accepted = accepted_by(ingest)
        assert sum(accepted.values()) == 60
        assert set(accepted) == {"0", "1"}
        killed = worker_pids(ingest)[1]
        psutil.Process(killed).send_signal(signal.SIGKILL)
        wait_until(lambda: worker_pids(ingest).get(1, killed) != killed, "another worker 1")
        wait_until(lambda: len(accepted_by(ingest)) == 2 and ingest.is_ready(), "both ready")
        assert ingest.post(payload(60)).status == 200
        pids = worker_pids(ingest)
        code, took_s = ingest.stop()
        assert code == 0
        assert took_s < 20
        assert not any(psutil.pid_exists(pid) for pid in pids.values())
    assert set(stored(topics)) == set(range(61))


def test_workers_end_with_their_parent(topics: KafkaSettings, tmp_path: Path) -> None:
    with running_ingest(topics, tmp_path, TWO) as ingest:
        pids = worker_pids(ingest)
        assert set(pids) == {0, 1}
        ingest.process.kill()
        wait_until(lambda: not any(psutil.pid_exists(pid) for pid in pids.values()), "the workers' end")


@pytest.mark.parametrize("killed", [False, True], ids=["stopped", "killed"])
def test_the_spool_of_a_worker_that_is_no_more_is_adopted(
    kafka: HarmedKafka, topics: KafkaSettings, tmp_path: Path, killed: bool
) -> None:
    with running_ingest(topics, tmp_path, TWO) as ingest:
        kafka.signal(signal.SIGSTOP)
        assert [ingest.post(payload(number)).status for number in range(60)] == [200] * 60
        wait_until(lambda: metric(ingest, "segwire_ingest_spool_records") == 60, "all spooled")
        if killed:
            pids = worker_pids(ingest).values()
            for pid in (ingest.process.pid, *pids):
                psutil.Process(pid).send_signal(signal.SIGKILL)
            wait_until(lambda: not any(psutil.pid_exists(pid) for pid in pids), "the workers' end")
        else:
            code, took_s = ingest.stop()
            assert code == 0
            assert took_s < 20
    orphan = tmp_path / "data" / "spool" / "worker-1"
    assert orphan.is_dir()
    if killed:
        # Any directory with a lock that nobody holds is an orphan's: so a spool is moved to another machine.
        orphan = orphan.rename(orphan.with_name("from-another-machine"))
    kafka.signal(signal.SIGCONT)
    with running_ingest(topics, tmp_path) as ingest:
        wait_until(lambda: not orphan.exists(), "the orphan's spool adopted")
        wait_until_empty(ingest)
    assert set(stored(topics)) == set(range(60))


def test_workers_share_a_port_of_tls(topics: KafkaSettings, tmp_path: Path) -> None:
    mounted = Mounted(tmp_path)
    context = client_context(mounted.authority)
    with running_ingest(topics, tmp_path, TWO, **mounted.variables()) as ingest:
        address = urlsplit(ingest.url)
        assert (address.scheme, address.hostname) == ("https", "127.0.0.1")
        for number in range(60):
            connection = http.client.HTTPSConnection("127.0.0.1", address.port, timeout=LIMIT_S, context=context)
            assert exchange(connection, payload(number)).status == 200
            connection.close()
        assert set(accepted_by(ingest)) == {"0", "1"}
        assert ingest.stop()[0] == 0
    assert set(stored(topics)) == set(range(60))


def test_a_worker_that_cannot_start_ends_them_all_and_says_why(topics: KafkaSettings, tmp_path: Path) -> None:
    with (
        running_ingest(topics, tmp_path) as holder,
        pytest.raises(AssertionError, match="held by process"),
        running_ingest(topics, tmp_path, TWO),
    ):
        pass
    assert holder.process.poll() is not None
