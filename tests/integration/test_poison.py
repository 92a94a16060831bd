"""Records that cannot be processed, on a real Kafka: set aside alone, while everything else arrives once."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from urllib.request import urlopen

import pytest
from confluent_kafka import Consumer
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType

from tests.support.kafka import LIMIT_S, wait_until
from tests.support.poison_service import FREE, TOPIC_MAX_BYTES
from tests.support.processors import Pipeline


class Service:
    """The naughty service, started again whenever it dies."""

    def __init__(self, pipeline: Pipeline, *options: str) -> None:
        self._pipeline = pipeline
        self._arguments = [str(pipeline.kafka.bootstrap_servers), pipeline.names.prefix, str(pipeline.folder), *options]
        self.ready_file = pipeline.folder / "fan-out.ready"
        self.deaths = 0
        self.start()

    def start(self) -> None:
        with (self._pipeline.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.support.poison_service", *self._arguments], stdout=log, stderr=log
            )

    def done(self) -> bool:
        if self.process.poll() is not None:
            assert self.process.returncode == -signal.SIGKILL, self.said()
            self.deaths += 1
            self.start()
        return self._pipeline._behind("fan-out", self._pipeline.names.aam_posts) == 0

    def said(self) -> str:
        return (self._pipeline.folder / "log").read_text()

    def metrics(self) -> bytes:
        url = json.loads(self.ready_file.read_text())["urls"]["fan-out-management"]
        with urlopen(f"{url}/metrics", timeout=LIMIT_S) as answer:
            return bytes(answer.read())

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(LIMIT_S) == 0


@pytest.fixture
def pipeline(pipeline: Pipeline) -> Pipeline:
    pipeline.create_topics()
    return pipeline


@pytest.fixture
def start(pipeline: Pipeline) -> Iterator[Callable[..., Service]]:
    services: list[Service] = []

    def begin(*options: str) -> Service:
        services.append(Service(pipeline, *options))
        return services[-1]

    yield begin
    for service in services:
        service.process.kill()
        service.process.wait(LIMIT_S)


def limit_topic(pipeline: Pipeline, topic: str) -> None:
    admin = AdminClient({"bootstrap.servers": pipeline.kafka.bootstrap_servers or ""})
    entry = ConfigEntry("max.message.bytes", str(TOPIC_MAX_BYTES), incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[entry])
    for future in admin.incremental_alter_configs([resource]).values():
        future.result(LIMIT_S)


def test_bad_records_go_alone_to_the_dead_letters_and_all_others_arrive_once(
    pipeline: Pipeline, start: Callable[..., Service]
) -> None:
    limit_topic(pipeline, pipeline.names.segment_events)
    good = [b"good %d" % number for number in range(24)]
    bad = {4: b"raise 1", 5: b"huge 2", 7: b"large 3", 13: b"die 4"}
    mixed = [value for number, plain in enumerate(good) for value in ([bad[number]] if number in bad else []) + [plain]]
    pipeline.post(mixed, 5)
    service = start()
    wait_until(service.done, "everything is processed")
    service.stop()
    # It was the last of a portion, or alone from the first.
    assert 4 <= service.deaths <= 5
    assert sorted(message.value() or b"" for message in pipeline.read(pipeline.names.segment_events)) == sorted(good)
    letters = pipeline.read(pipeline.names.dead_letters)
    assert sorted(letter.value() or b"" for letter in letters) == sorted(bad.values())
    told = {(letter.value() or b"")[:-2]: dict(letter.headers() or []) for letter in letters}
    assert {what: headers["error"] for what, headers in told.items()} == {
        b"raise": b"processing-failed",
        b"huge": b"output-refused",
        b"large": b"output-refused",
        b"die": b"process-died",
    }
    headers = told[b"raise"]
    assert (headers["stage"], headers["segwire-received-at-ms"]) == (b"fan-out", b"5")
    assert str(headers["reason"]).startswith("b'ValueError: no idea what to do with ")
    assert headers["topic"] == pipeline.names.aam_posts.encode()


def test_backpressure_pauses_a_ready_service_and_loses_and_doubles_nothing(
    pipeline: Pipeline, start: Callable[..., Service]
) -> None:
    values = [*(b"good %d" % number for number in range(50)), b"press", b"after"]
    service = start()
    wait_until(service.ready_file.exists, "ready")
    pipeline.post(values, 5)
    url = json.loads(service.ready_file.read_text())["urls"]["fan-out-management"]

    def held() -> bool:
        return b'segwire_processor_backpressure{processor="fan-out"} 1.0' in service.metrics()

    wait_until(held, "backpressure")
    with urlopen(f"{url}/readyz", timeout=LIMIT_S) as answer:
        assert answer.status == 200
    wait_until(service.done, "everything is processed")
    assert not held()
    service.stop()
    assert service.deaths == 0
    assert sorted(m.value() or b"" for m in pipeline.read(pipeline.names.segment_events)) == sorted(values)


def test_a_service_that_hangs_in_a_record_says_so_ends_and_the_next_goes_on_without_loss(
    pipeline: Pipeline, start: Callable[..., Service]
) -> None:
    values = [*(b"good %d" % number for number in range(20)), b"stuck", b"after"]
    stuck = start("classic", "2")
    wait_until(stuck.ready_file.exists, "ready")
    pipeline.post(values, 5)
    told = b'segwire_processor_watchdog_total{processor="fan-out"} '
    wait_until(lambda: told in stuck.metrics(), "the watchdog tells of it before it ends the process")
    assert stuck.process.wait(LIMIT_S) == 1
    assert "the loop is stuck in a call" in stuck.said()
    (pipeline.folder / FREE).touch()
    service = start()
    wait_until(service.done, "everything is processed")
    service.stop()
    assert service.deaths == 0
    assert "process_died" in service.said()
    assert sorted(m.value() or b"" for m in pipeline.read(pipeline.names.segment_events)) == sorted(values)
    assert not pipeline.read(pipeline.names.dead_letters)


def test_an_instance_id_that_the_group_still_holds_is_waited_for_inside_the_process(
    pipeline: Pipeline, start: Callable[..., Service]
) -> None:
    group = f"{pipeline.names.prefix}segwire-fan-out"
    before = Consumer(
        {
            "bootstrap.servers": pipeline.kafka.bootstrap_servers or "", "group.id": group,
            "group.protocol": "consumer", "group.instance.id": f"{group}-0",
        }
    )  # fmt: skip
    before.subscribe([pipeline.names.aam_posts])
    wait_until(lambda: before.poll(0.1) is None and bool(before.assignment()), "the one before has its partitions")
    service = start("consumer")
    wait_until(lambda: "instance_id_still_held" in service.said(), "the refusal")
    assert not service.ready_file.exists()
    before.close()
    pipeline.post([b"good"], 5)
    wait_until(service.ready_file.exists, "ready")
    wait_until(service.done, "everything is processed")
    service.stop()
    assert service.deaths == 0
    assert [message.value() for message in pipeline.read(pipeline.names.segment_events)] == [b"good"]
