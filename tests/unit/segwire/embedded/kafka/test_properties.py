"""The broker's settings and their file."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from segwire.embedded.kafka.properties import broker_settings, render_properties


def read_as_java(text: str) -> dict[str, str]:
    """Read a properties file by the rules of java.util.Properties, as far as we write it."""
    found = {}
    for line in text.splitlines():
        name, value = line.split("=", 1)
        units, rest = [], value.lstrip(" ")
        while rest:
            if rest.startswith("\\u"):
                units.append(int(rest[2:6], 16))
                rest = rest[6:]
            else:
                rest = rest.removeprefix("\\")
                units.append(ord(rest[0]))
                rest = rest[1:]
        found[name] = b"".join(unit.to_bytes(2, "big") for unit in units).decode("utf-16-be")
    return found


@given(st.text())
def test_java_reads_back_every_value(value: str) -> None:
    text = render_properties({"log.dirs": value})
    assert text.isascii()
    assert read_as_java(text) == {"log.dirs": value}


def test_it_listens_on_loopback_only() -> None:
    settings = broker_settings(Path("/data"), 19092, 40001)
    assert settings["listeners"] == "CLIENT://127.0.0.1:19092,CONTROLLER://127.0.0.1:40001"
    assert settings["advertised.listeners"] == "CLIENT://127.0.0.1:19092"


def test_topics_are_not_made_by_accident() -> None:
    assert broker_settings(Path("/data"), 1, 2)["auto.create.topics.enable"] == "false"
