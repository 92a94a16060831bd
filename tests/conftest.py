"""Options of the whole suite; they are here so that every choice of tests knows them."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--kafka",
        default="embedded",
        help="the Kafka to test against: embedded (default), testcontainers, or HOST:PORT of one that runs",
    )
