import os
import queue
from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import SecretStr

from runtime.authentication_settings import SecretSettings
from runtime.errors import ConfigurationError
from runtime.secrets import Secret, SecretFiles, SecretWatch, read_secret
from tests.support.authentication import NOW_MS, SetClock
from tests.support.mounted import Mount

EARLIER_MS = NOW_MS - 60_000


def settle(path: Path, at_ms: int = EARLIER_MS) -> None:
    os.utime(path, ns=(at_ms * 1_000_000, at_ms * 1_000_000))


def write(path: Path, text: str | bytes, at_ms: int = EARLIER_MS) -> Path:
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    settle(path, at_ms)
    return path


def watching(path: Path, clock: SetClock | None = None) -> tuple[SecretFiles, Secret]:
    files = SecretFiles(clock or SetClock())
    return files, files.load_file("a.secret_file", path)


def poll(files: SecretFiles) -> int:
    changes = files.changed()
    files.replace(changes)
    return len(changes)


@pytest.mark.parametrize(
    ("held", "secret"),
    [
        (b"s", b"s"),
        (b"s\n", b"s"),
        (b"s\r\n", b"s"),
        (b"s\n\n", b"s\n"),
        (b" s \n", b" s "),
        (b"\ns", b"\ns"),
        (b"\x00\xff", b"\x00\xff"),
    ],
)
def test_one_newline_at_the_end_is_not_part_of_a_secret(held: bytes, secret: bytes, tmp_path: Path) -> None:
    assert read_secret("a.secret_file", write(tmp_path / "s", held)) == secret


@pytest.mark.parametrize("held", [b"", b"\n", b"\r\n"])
def test_an_empty_file_stops_the_start_and_is_named(held: bytes, tmp_path: Path) -> None:
    path = write(tmp_path / "s", held)
    with pytest.raises(
        ConfigurationError, match=r"^a\.secret_file: '.*/s' cannot be used \(the file is empty\)"
    ) as caught:
        read_secret("a.secret_file", path)
    assert caught.value.exit_code == 2


def test_a_file_that_cannot_be_read_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="No such file"):
        watching(tmp_path / "missing")
    with pytest.raises(ConfigurationError, match="Is a directory"):
        watching(tmp_path)


def test_a_key_that_can_be_guessed_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="less than 32"):
        SecretFiles(SetClock()).load_file("a", write(tmp_path / "s", "short"), bytes_min=32)


def test_a_secret_may_stand_in_the_configuration_itself() -> None:
    files = SecretFiles(SetClock())
    secret = files.load("a", SecretSettings(secret=SecretStr("ä\n")))
    assert secret.value == "ä\n".encode()
    assert repr(secret) == "<secret from a.secret>"
    assert poll(files) == 0


def test_a_secret_is_read_again_when_its_file_changes(tmp_path: Path) -> None:
    path = write(tmp_path / "s", "one")
    files, secret = watching(path)
    assert poll(files) == 0
    write(path, "two\n", NOW_MS - 30_000)
    assert (poll(files), secret.value) == (1, b"two")
    assert poll(files) == 0


def test_a_mounted_secret_is_followed_through_its_links(tmp_path: Path) -> None:
    mount = Mount(tmp_path)
    mount.publish(EARLIER_MS, current="one", previous="zero")
    files = SecretFiles(SetClock())
    current, previous = (files.load_file(name, mount.path(name)) for name in ("current", "previous"))
    mount.publish(EARLIER_MS, current="two", previous="one")
    assert poll(files) == 2
    assert (current.value, previous.value) == (b"two", b"one")


def test_a_file_that_two_settings_name_is_one_secret(tmp_path: Path) -> None:
    path = write(tmp_path / "s", "one")
    files, secret = watching(path)
    assert files.load_file("b.secret_file", path) is secret
    write(path, "two", NOW_MS - 20_000)
    assert poll(files) == 1


def test_nothing_is_replaced_before_everything_is_read(tmp_path: Path) -> None:
    mount = Mount(tmp_path)
    mount.publish(EARLIER_MS, current="one", previous="zero")
    files = SecretFiles(SetClock())
    current, previous = (files.load_file(name, mount.path(name)) for name in ("current", "previous"))
    mount.publish(EARLIER_MS, current="two", previous="one")
    changes = files.changed()
    # Else "one" would be known to nobody for a moment.
    assert (current.value, previous.value) == (b"one", b"zero")
    files.replace(changes)
    assert (current.value, previous.value) == (b"two", b"one")


def test_a_file_just_written_is_left_to_the_next_look(tmp_path: Path) -> None:
    path = write(tmp_path / "s", "one")
    clock = SetClock()
    files, secret = watching(path, clock)
    write(path, "tw", NOW_MS - 50)
    assert poll(files) == 0
    write(path, "two", NOW_MS - 50)
    clock.at_ms += 1000
    assert (poll(files), secret.value) == (1, b"two")


def test_a_file_from_the_future_is_read(tmp_path: Path) -> None:
    path = write(tmp_path / "s", "one")
    files, secret = watching(path)
    write(path, "two", NOW_MS + 3_600_000)
    assert (poll(files), secret.value) == (1, b"two")


def remove(path: Path) -> None:
    path.unlink()


def empty(path: Path) -> None:
    write(path, "", NOW_MS - 30_000)


def make_a_directory(path: Path) -> None:
    path.unlink()
    path.mkdir()
    settle(path)


@pytest.mark.parametrize("spoil", [remove, empty, make_a_directory])
def test_a_secret_that_can_no_longer_be_read_is_kept_and_warned_of_once(
    spoil: Callable[[Path], None], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path / "s", "one-secret")
    files, secret = watching(path)
    spoil(path)
    assert [poll(files) for _ in range(3)] == [0, 0, 0]
    assert secret.value == b"one-secret"
    said = capsys.readouterr().out
    assert said.count("secret_unreadable") == 1
    assert str(path) in said
    assert "one-secret" not in said


def test_a_secret_that_comes_back_is_read_again(tmp_path: Path) -> None:
    path = write(tmp_path / "s", "one")
    files, secret = watching(path)
    path.unlink()
    poll(files)
    write(path, "two", NOW_MS - 20_000)
    assert (poll(files), secret.value) == (1, b"two")


def test_a_replacement_is_told_without_the_secret(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path / "s", "first-secret")
    files, _ = watching(path)
    write(path, "other-secret", NOW_MS - 20_000)
    poll(files)
    said = capsys.readouterr().out
    assert "secret_replaced" in said
    assert "first-secret" not in said
    assert "other-secret" not in said


def test_the_watch_hands_changes_to_the_thread_that_uses_them(tmp_path: Path) -> None:
    path = write(tmp_path / "s", "one")
    files, secret = watching(path)
    handed: queue.Queue[Callable[[], None]] = queue.Queue()
    watch = SecretWatch(files, poll_s=0.01)
    watch.start(handed.put)
    write(path, "two", NOW_MS - 20_000)
    replace = handed.get(timeout=30)
    watch.stop()
    assert secret.value == b"one"
    replace()
    assert secret.value == b"two"


def test_the_watch_ends_with_the_loop_that_it_hands_to(tmp_path: Path) -> None:
    path = write(tmp_path / "s", "one")
    files, _ = watching(path)
    called: queue.Queue[bool] = queue.Queue()

    def closed(_: Callable[[], None]) -> None:
        called.put(True)
        raise RuntimeError("Event loop is closed")

    watch = SecretWatch(files, poll_s=0.01)
    watch.start(closed)
    write(path, "two", NOW_MS - 20_000)
    assert called.get(timeout=30)
