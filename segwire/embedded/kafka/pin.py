"""Resolve the Kafka artifacts anew and write the lock file: `python -m segwire.embedded.kafka.pin`.

For maintainers, after a change of a version below. Needs the network and the extra `local`. At run time nothing is
resolved: exactly the files of the lock file are fetched.
"""

import tempfile
import tomllib
from pathlib import Path

import click
import tomli_w
from jgo.env import LockFile
from jgo.maven import Dependency, MavenContext

from segwire.embedded.kafka.pins import KAFKA_VERSION, LOCK_FILE, parse_lock

# The second is what binds Kafka's logging calls to log4j: without it a broker that fails dies without a word. The "!"
# keeps it from steering versions: log4j's own POM manages kafka-clients, and to an older version than the broker's.
ROOTS = (f"org.apache.kafka:kafka_2.13:{KAFKA_VERSION}", "org.apache.logging.log4j:log4j-slf4j-impl:2.25.4!")
KAFKA_GROUP = "org.apache.kafka"


def resolve(repository: Path) -> list[Dependency]:
    """Resolve the roots and what they need, into a scratch repository.

    Raises:
        ValueError: a part of Kafka came out in another version than the broker.
    """
    context = MavenContext(repo_cache=repository)
    inputs, transitive = context.resolver.resolve([context.create_dependency(root) for root in ROOTS])
    dependencies = [*inputs, *transitive]
    strangers = [str(one) for one in dependencies if one.groupId == KAFKA_GROUP and one.version != KAFKA_VERSION]
    if strangers:
        raise ValueError(f"not of version {KAFKA_VERSION}: {', '.join(strangers)}")
    return dependencies


def render(dependencies: list[Dependency], scratch: Path) -> str:
    """Render the lock file: what jgo writes, plus sizes, minus the time of writing."""
    path = scratch / "jgo.lock.toml"
    LockFile.from_resolved_dependencies(dependencies).save(path)
    locked = tomllib.loads(path.read_text(encoding="utf-8"))
    entries = [
        entry | {"size_bytes": dependency.artifact.resolve().stat().st_size}
        for entry, dependency in zip(locked["dependencies"], dependencies, strict=True)
    ]
    return tomli_w.dumps({"dependencies": entries})


def main() -> None:
    """Write the lock file anew."""
    with tempfile.TemporaryDirectory() as scratch:
        text = render(resolve(Path(scratch) / "repository"), Path(scratch))
    pins = parse_lock(text)
    LOCK_FILE.write_text(text, encoding="utf-8")
    click.echo(f"{LOCK_FILE}: {len(pins)} artifacts, {sum(pin.size_bytes for pin in pins):,} bytes")


if __name__ == "__main__":
    main()
