"""How far a long reading is."""

import io

from rich.console import Console

from segwire.inspect.progress import LINE_EVERY_S, counted, progress
from tests.support.up import ManualClock


def test_every_item_is_passed_on_and_counted_now_and_then_and_in_the_end() -> None:
    told: list[int] = []
    assert list(counted("abcde", told.append, every=2)) == list("abcde")
    assert told == [2, 4, 5]


def test_without_a_terminal_a_line_is_printed_now_and_then() -> None:
    clock, text = ManualClock(), io.StringIO()
    with progress(Console(file=text), clock, "reading", 9) as tell:
        tell(1, 9)
        clock.advance_ms(int(LINE_EVERY_S * 1000))
        tell(4, 10)
        tell(5, 10)
    assert text.getvalue() == "reading: 4 of 10\n"


def test_bar_on_a_terminal_is_gone_when_it_is_done() -> None:
    text = io.StringIO()
    with progress(Console(file=text, force_terminal=True, width=80), ManualClock(), "reading", 9) as tell:
        tell(9, 9)
    assert "reading" in text.getvalue()
    assert text.getvalue().endswith("\x1b[2K")
