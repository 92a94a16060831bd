"""The sample messages in the demo."""

import json

import pytest

from runtime.errors import ConfigurationError
from runtime.http_settings import TlsSettings
from runtime.settings import IngestSettings, Settings
from schemas.dates import parse_date_ms
from segwire.up.demo.play import play
from segwire.up.demo.samples import SAMPLE_USER, moved, samples
from segwire.up.run import UpOptions, run
from tests.support.samples import SEED_LANGUAGES, seed_body

NOW_MS = 1_900_000_000_000


def test_samples_are_those_that_were_published() -> None:
    assert sorted(samples()) == sorted(seed_body(language).decode() for language in SEED_LANGUAGES)


def test_moved_sample_differs_in_nothing_but_its_dates() -> None:
    before, after = json.loads(samples()[-1]), json.loads(moved(samples()[-1], NOW_MS))
    assert parse_date_ms(after["ProcessTime"]) == NOW_MS
    first = after["Users"][0]["Segments"][0]
    assert parse_date_ms(first["DateTime"]) == NOW_MS - 20_000
    for document in (before, after):
        document.pop("ProcessTime")
        for user in document["Users"]:
            for segment in user["Segments"]:
                segment.pop("DateTime")
    assert before == after


def test_expired_sample_is_processed_before_the_others_are_sent() -> None:
    done: list[str] = []
    play(done.append, NOW_MS, lambda: done.append("settled"))
    assert [i for i, what in enumerate(done) if what == "settled"] == [1]
    assert "2016" in done[0]
    assert len(done) == 7
    assert not any("2016" in body for body in done[2:])


def test_sample_user_is_in_every_sample() -> None:
    assert all(SAMPLE_USER in sample for sample in samples())


def test_demo_that_could_not_show_a_certificate_is_refused_before_anything_starts() -> None:
    tls = TlsSettings(cert_file="tls.crt", key_file="tls.key", client_ca_file="clients.crt")
    settings = Settings(ingest=IngestSettings(tls=tls))
    with pytest.raises(ConfigurationError, match="client_ca_file"):
        run(settings, UpOptions(demo=True))
