"""What a person is told of a download."""

import io

from rich.console import Console

from segwire.embedded.kafka.progress import ConsoleProgress


def test_without_a_terminal_a_download_is_a_few_plain_lines() -> None:
    out = io.StringIO()
    progress = ConsoleProgress(Console(file=out, width=200))
    with progress.downloading("Downloading", 100_000_000) as download:
        for _ in range(1000):
            download.received(100_000)
    lines = out.getvalue().splitlines()
    assert lines[0] == "Downloading: 0 of 100 MB"
    assert lines[-1] == "Downloading: 100 of 100 MB"
    assert 5 <= len(lines) <= 12


def test_small_download_is_not_told_in_crumbs() -> None:
    out = io.StringIO()
    with ConsoleProgress(Console(file=out, width=200)).downloading("Downloading", 800_000) as download:
        for _ in range(100):
            download.received(8_000)
    assert out.getvalue().splitlines() == ["Downloading: 0 of 1 MB"]


def test_on_a_terminal_a_download_is_a_bar() -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=100)
    with ConsoleProgress(console).downloading("Downloading Kafka", 45_000_000) as download:
        download.received(20_000_000)
    assert "20.0/45.0 MB" in out.getvalue()


def test_message_is_printed_as_it_is() -> None:
    out = io.StringIO()
    ConsoleProgress(Console(file=out, width=10)).say("a [bold] word in /a/very/long/path")
    assert out.getvalue() == "a [bold] word in /a/very/long/path\n"
