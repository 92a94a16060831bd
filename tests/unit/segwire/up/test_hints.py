"""The commands that `up` prints."""

from pathlib import Path

from runtime.settings import KafkaSettings, Settings
from segwire.up.hints import next_lines, program, url_lines
from segwire.up.ports import service_urls

RUNNING = KafkaSettings(bootstrap_servers="127.0.0.1:19092")


def _hints(configured: Settings, config: Path | None = None) -> list[str]:
    running = configured.model_copy(update={"kafka": RUNNING})
    return next_lines(configured, running, config, "dev", Path(configured.data_dir) / "sample.json")


def test_commands_are_short_where_everything_is_the_default() -> None:
    url = "http://127.0.0.1:8080/v1/aam/dev"
    assert _hints(Settings())[1:4] == [
        f"  curl -i {url} -H 'Content-Type: application/json' --data-binary @.segwire/sample.json",
        "  segwire explain 19393572368547369350319949416899715727",
        "  segwire topics read segment-membership --follow",
    ]


def test_commands_name_what_is_not_the_default() -> None:
    lines = _hints(Settings(data_dir="/a b"), Path("c.yaml"))
    assert "--data-binary '@/a b/sample.json'" in lines[1]
    assert lines[2].endswith("19393572368547369350319949416899715727 --config c.yaml --data-dir '/a b'")


def test_commands_find_our_kafka_where_another_one_is_configured() -> None:
    lines = _hints(Settings(kafka=KafkaSettings(bootstrap_servers="prod:9092")))
    assert lines[2].startswith("  SEGWIRE_KAFKA__BOOTSTRAP_SERVERS=127.0.0.1:19092 segwire explain")


def test_the_command_is_called_by_its_name_where_the_path_finds_it() -> None:
    assert program("/opt/venv/bin/segwire", Path("/opt/venv/bin/python"), Path("/opt/elsewhere")) == "segwire"


def test_the_command_is_called_by_its_place_where_the_path_does_not_find_it() -> None:
    assert program(None, Path("/opt/segwire/.venv/bin/python"), Path("/opt/segwire")) == ".venv/bin/segwire"


def test_another_command_of_the_name_is_not_taken_for_ours() -> None:
    assert program("/usr/bin/segwire", Path("/opt/venv/bin/python"), Path("/opt/elsewhere")) == "/opt/venv/bin/segwire"


def test_a_database_of_ours_is_told_of_and_none_where_there_is_none() -> None:
    urls = dict(service_urls(Settings()))
    assert not any("PostgreSQL" in line for line in url_lines(urls, "k:9092", "dev"))
    (line,) = (x for x in url_lines({**urls, "postgres": "postgresql:///x"}, "k:9092", "dev") if "PostgreSQL" in x)
    assert line.endswith("  postgresql:///x")
