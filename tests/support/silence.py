"""What no log may tell."""


def assert_silent(said: str, *telltales: str) -> None:
    """See that a log says something, and nothing of `telltales`."""
    assert said.strip(), "nothing was logged at all"
    for telltale in telltales:
        found = [line for line in said.splitlines() if telltale in line]
        assert not found, (telltale, found)
