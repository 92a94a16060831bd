"""The keys of bearer tokens: from files, the same in every replica; or one made here and kept with the data."""

import contextlib
import os
import secrets
from pathlib import Path

import structlog

from ingest.authentication.tokens import KEY_BYTES_MIN
from runtime.errors import ConfigurationError
from runtime.secrets import Secret, SecretFiles
from runtime.settings import Settings

_log = structlog.get_logger()


def load_token_keys(settings: Settings, files: SecretFiles) -> list[Secret]:
    """Return the configured keys; without any, the one that is kept in the data directory.

    Raises:
        ConfigurationError: a key cannot be read or is too short, or the data directory cannot be written.
    """
    configured = settings.ingest.token_key_files
    if configured:
        return [
            files.load_file(f"ingest.token_key_files.{place}", Path(name), bytes_min=KEY_BYTES_MIN)
            for place, name in enumerate(configured)
        ]
    path = Path(settings.data_dir) / "ingest" / "token.key"
    if not path.exists():
        _make(path)
    return [files.load_file("data_dir", path, bytes_min=KEY_BYTES_MIN)]


def _make(path: Path) -> None:
    """Write a new key whole, readable by this user alone; of several processes that start at once one succeeds."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(secrets.token_urlsafe(KEY_BYTES_MIN) + "\n")
            file.flush()
            os.fsync(file.fileno())
        path.hardlink_to(temporary)
    except FileExistsError:
        return
    except OSError as error:
        raise ConfigurationError(
            f"data_dir: the key of bearer tokens cannot be kept in {str(path)!r} ({error.strerror}); "
            "mend the permissions, or name keys in ingest.token_key_files"
        ) from None
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()
    _log.info("token_key_made", file=str(path), remedy="with several replicas name the same ingest.token_key_files")
