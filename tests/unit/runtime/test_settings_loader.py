from collections.abc import Callable
from pathlib import Path

import pytest

from runtime.errors import ConfigurationError
from runtime.settings import Settings
from runtime.settings_loader import load_settings, setting_paths

Load = Callable[..., Settings]
PATH = Path("segwire.yaml")


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Load:
    """Load a file of a given text, or none, with variables; nothing is read from the disk."""

    def loading(text: str | bytes | None = None, path: Path | None = PATH, **environ: str) -> Settings:
        def read_text(self: Path, encoding: str) -> str:
            if text is None:
                raise FileNotFoundError(self)
            return text.decode(encoding) if isinstance(text, bytes) else text

        monkeypatch.setattr(Path, "read_text", read_text)
        return load_settings(path, environ)

    return loading


def _refused(load: Load, *arguments: str | bytes, **environ: str) -> str:
    with pytest.raises(ConfigurationError) as refused:
        load(*arguments, **environ)
    assert refused.value.exit_code == 2
    return str(refused.value)


def test_without_a_file_the_defaults_count(load: Load) -> None:
    assert load(None, path=None) == Settings()


def test_an_empty_file_is_the_defaults(load: Load) -> None:
    assert load("# nothing\n") == Settings()


def test_a_file_that_was_named_must_be_there(load: Load) -> None:
    with pytest.raises(ConfigurationError, match=r"--config segwire\.yaml: there is no such file"):
        load(None)


def test_the_file_of_the_interfaces_is_read(load: Load) -> None:
    settings = load(
        "kafka: {bootstrap_servers: 'h:9092', topic_prefix: 'eu.', properties: {security.protocol: SSL}}\n"
        "sources: {adobe: {allow_unauthenticated: true, max_body_bytes: 2048}}\n"
        "membership: {default_ttl_days: 0, segments: {'14356': {ttl_days: 30, name: Lapsed}}}\n"
    )
    assert settings.kafka.properties == {"security.protocol": "SSL"}
    assert settings.effective_sources()["adobe"].max_body_bytes == 2048
    assert (settings.membership.default_ttl_days, settings.membership.segments["14356"].ttl_days) == (0, 30)


def test_the_environment_wins_over_the_file(load: Load) -> None:
    settings = load(
        "kafka: {bootstrap_servers: 'file:9092', partitions: 6}", SEGWIRE_KAFKA__BOOTSTRAP_SERVERS="variable:9092"
    )
    assert (settings.kafka.bootstrap_servers, settings.kafka.partitions) == ("variable:9092", 6)


def test_variables_have_the_type_of_their_setting(load: Load) -> None:
    settings = load(
        None, path=None, SEGWIRE_INGEST__PORT="0", SEGWIRE_INGEST__LINGER_MS="0.5", SEGWIRE_KAFKA__TOPIC_PREFIX="eu-",
        SEGWIRE_DATA_DIR="/data", PATH="ignored", segwire_other="ignored",
    )  # fmt: skip
    assert (settings.ingest.port, settings.ingest.linger_ms) == (0, 0.5)
    assert (settings.kafka.topic_prefix, settings.data_dir) == ("eu-", "/data")


def test_a_variable_is_taken_as_text_where_text_is_wanted(load: Load) -> None:
    assert load(None, path=None, SEGWIRE_KAFKA__TOPIC_PREFIX="").kafka.topic_prefix == ""
    assert load(None, path=None, SEGWIRE_KAFKA__TOPIC_PREFIX="007").kafka.topic_prefix == "007"


def test_a_name_that_the_file_spells_is_matched_whatever_its_case(load: Load) -> None:
    settings = load(
        "kafka: {properties: {Security.Protocol: SSL}}\nmembership: {segments: {'Mixed-Case': {ttl_days: 1}}}",
        **{
            "SEGWIRE_MEMBERSHIP__SEGMENTS__MIXED-CASE__TTL_DAYS": "9",
            "SEGWIRE_KAFKA__PROPERTIES__SECURITY.PROTOCOL": "x",
        },
    )
    assert {name: segment.ttl_days for name, segment in settings.membership.segments.items()} == {"Mixed-Case": 9}
    assert settings.kafka.properties == {"Security.Protocol": "x"}


def test_a_name_that_only_a_variable_gives_is_lower_case(load: Load) -> None:
    settings = load(None, path=None, SEGWIRE_SOURCES__ADOBE__ALLOW_UNAUTHENTICATED="true")
    assert list(settings.effective_sources()) == ["adobe"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("kafka: {bootstrap_server: h}", "kafka.bootstrap_server"),
        ("kafka: {bootstrap_server: h}", "the nearest valid one is kafka.bootstrap_servers"),
        ("membership: {segments: {'1': {ttl_day: 1}}}", "membership.segments.1.ttl_day"),
        ("membershp: {}", "the nearest valid one is membership"),
        ("ingest: {port: 70000}", "ingest.port"),
        ("ingest: {port: 70000}", "it is 70000"),
        ("membership: {inactivity_days: 0}", "it is 0"),
        ("kafka: {topic_prefix: 'a b'}", "it is 'a b'"),
        ("sources: {Bad Name: {allow_unauthenticated: true}}", "Bad Name"),
        ("ingest: {host: 0.0.0.0}", "ingest.host: '0.0.0.0' is reachable from outside"),
        ("sources: {adobe: {}}", "sources.adobe: no authentication is configured"),
        ("kafka: [", "segwire.yaml: not valid YAML"),
        ("- kafka", "segwire.yaml: must hold settings as `section: {key: value}`, not list"),
        (b"\xff", "segwire.yaml: cannot be read"),
    ],
)
def test_what_is_wrong_is_named_with_key_and_value_and_the_nearest_name(load: Load, text: str, said: str) -> None:
    assert said in _refused(load, text)


def test_every_finding_is_told_at_once(load: Load) -> None:
    said = _refused(load, "ingest: {port: -1}\nkafka: {partitions: 0}\nnonsense: 1")
    assert [name in said for name in ("ingest.port", "kafka.partitions", "nonsense")] == [True] * 3


def test_an_unknown_variable_is_named_as_the_variable_that_it_is(load: Load) -> None:
    said = _refused(load, "", SEGWIRE_KAFKA__PARTITION="3")
    assert "SEGWIRE_KAFKA__PARTITION" in said
    assert "nearest valid one is kafka.partitions" in said


def test_every_section_and_setting_has_a_path() -> None:
    paths = set(setting_paths(Settings))
    assert {"data_dir", "kafka.partitions", "sources.*.max_body_bytes", "membership.segments.*.ttl_days"} <= paths
