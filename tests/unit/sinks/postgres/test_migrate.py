"""The tables' versions."""

from sinks.postgres.migrate import migrations


def test_migrations_are_numbered_without_gaps() -> None:
    assert [migration.version for migration in migrations()] == list(range(1, len(migrations()) + 1))
