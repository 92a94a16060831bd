import signal
import threading

import pytest

from runtime import service
from runtime.service import ReadyFile, StopSignal


def test_a_stop_is_asked_for_once_and_stays() -> None:
    stop = StopSignal()
    assert not stop.is_set()
    stop.set()
    assert stop.is_set()
    assert stop.wait(0)


def test_a_signal_asks_for_the_stop_and_a_second_ends_the_process_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    ended: list[int] = []
    monkeypatch.setattr("runtime.service.os._exit", ended.append)
    stop = StopSignal()
    stop._on_signal(signal.SIGTERM, None)
    assert stop.is_set()
    assert ended == []
    stop._on_signal(signal.SIGTERM, None)  # the same stop, said twice
    assert ended == []
    stop._asked_s -= 2
    stop._on_signal(signal.SIGINT, None)
    assert ended == [128 + signal.SIGINT]


def test_who_waits_for_a_signal_is_not_woken_by_a_stop_from_inside(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    stop = StopSignal()
    stop.set()

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 3:
            stop._on_signal(signal.SIGTERM, None)

    monkeypatch.setattr("runtime.service.time.sleep", sleep)
    stop.wait_for_signal(60)
    assert len(slept) == 3


def _written(monkeypatch: pytest.MonkeyPatch) -> tuple[list[str], threading.Event]:
    texts: list[str] = []
    done = threading.Event()

    def write(_path: object, text: str) -> None:
        texts.append(text)
        done.set()

    monkeypatch.setattr(service, "write_whole", write)
    return texts, done


def test_the_ready_file_is_written_when_the_service_says_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    texts, done = _written(monkeypatch)
    answers: list[str | None] = [None, "restoring", "waiting"]
    ready_file = ReadyFile(tmp_path_factory.getbasetemp() / "r.json", {"fan-out-management": "http://h:1"}, "h:9092")
    ready_file.when(answers.pop, StopSignal())
    assert done.wait(60)
    assert texts == ['{"urls": {"fan-out-management": "http://h:1"}, "bootstrap_servers": "h:9092"}\n']
    assert answers == []


def test_no_ready_file_is_written_once_the_service_stops(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    texts, _ = _written(monkeypatch)
    stop = StopSignal()
    stop.set()
    ReadyFile(tmp_path_factory.getbasetemp() / "r.json", {}, "")._wait(lambda: "never ready", stop)
    assert texts == []
