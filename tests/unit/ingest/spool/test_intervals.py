from ingest.spool.intervals import Intervals


def test_low_rises_when_what_comes_next_is_done() -> None:
    done = Intervals(32)
    done.add(32, 50)
    done.add(50, 60)

    assert (done.low, done.above()) == (60, [])


def test_out_of_order_waits_above_low_until_the_gap_is_closed() -> None:
    done = Intervals(32)
    done.add(60, 70)
    done.add(40, 50)
    assert (done.low, done.above()) == (32, [(40, 50), (60, 70)])

    done.add(50, 60)
    assert (done.low, done.above()) == (32, [(40, 70)])

    done.add(32, 40)
    assert (done.low, done.above()) == (70, [])


def test_repeated_mark_is_nothing_new() -> None:
    done = Intervals(32)

    assert done.add(40, 50)
    assert not done.add(40, 50)
    assert not done.add(0, 20)


def test_past_tells_what_comes_next_that_is_not_done() -> None:
    done = Intervals(32, [(40, 50)])

    assert [done.past(offset) for offset in (0, 32, 39, 40, 49, 50, 99)] == [32, 32, 39, 50, 50, 50, 99]
