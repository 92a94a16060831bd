"""When a dead child is started again."""

from segwire.up.restart import RestartHistory, RestartPolicy

POLICY = RestartPolicy(
    first_delay_ms=100, delay_max_ms=500, quick_failures_max=6, unproven_failures_max=3, healthy_after_ms=60_000
)


def test_delays_double_up_to_a_bound() -> None:
    assert [POLICY.delay_ms(n) for n in (1, 2, 3, 4, 5, 1000)] == [100, 200, 400, 500, 500, 500]


def test_quick_failures_in_a_row_end_in_giving_up() -> None:
    history = RestartHistory(POLICY)
    restarts = [history.ended(at, at + 10, proven=True) for at in range(0, 6000, 1000)]
    assert restarts == [110, 1210, 2410, 3510, 4510, None]
    assert history.restarts == 5


def test_a_healthy_life_forgives_what_was_before() -> None:
    history = RestartHistory(POLICY)
    for at in range(0, 4000, 1000):
        history.ended(at, at + 10, proven=True)
    assert history.ended(5000, 65_000, proven=True) == 65_100
    assert history.quick_failures == 1
    assert history.restarts == 5


def test_a_child_that_was_never_ready_is_given_up_sooner() -> None:
    history = RestartHistory(POLICY)
    assert [history.ended(at, at + 10, proven=False) is None for at in (0, 1000, 2000)] == [False, False, True]
