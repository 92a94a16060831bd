from io import StringIO

from rich.console import Console

from segwire.simulator.progress import Display
from segwire.simulator.published import Published
from segwire.simulator.tally import Tally
from tests.support.simulation import KEY, ManualClock, plan, row


def sent(messages: int) -> Tally:
    tally = Tally()
    tally.sent = tally.acknowledged = messages
    return tally


def test_elsewhere_than_on_a_terminal_a_line_comes_every_few_seconds() -> None:
    out, clock = StringIO(), ManualClock()
    with Display(Console(file=out, width=200), clock) as display:
        show = display.sending(plan())
        for second in range(12):
            show(sent(second))
            clock.at_s += 1.0
    assert out.getvalue().splitlines() == [
        "sending: 5 sent, 5 acknowledged, 0 failed",
        "sending: 10 sent, 10 acknowledged, 0 failed",
    ]


def test_on_a_terminal_a_bar_shows_the_counts() -> None:
    out, published = StringIO(), Published()
    published.take_row(KEY, row())
    with Display(Console(file=out, width=200, force_terminal=True), ManualClock()) as display:
        display.sending(plan())(sent(17))
        display.verifying(2)(published)
    assert "17 sent, 17 acknowledged, 0 failed" in out.getvalue()
    assert "1 of 2 memberships" in out.getvalue()
