"""Keys of the store's entries: a letter, the partition, the key."""

from typing import Final

DATA: Final = b"u"
_PREFIXES: Final[dict[int, bytes]] = {}


def data_key(partition: int, key: bytes) -> bytes:
    """Return the store's key of an entry of a partition."""
    prefix = _PREFIXES.get(partition)
    if prefix is None:
        prefix = _PREFIXES[partition] = DATA + partition.to_bytes(2, "big")
    return prefix + key


def split_data_key(key: bytes) -> tuple[int, bytes]:
    """Return partition and key of a store's key."""
    return key[1] << 8 | key[2], key[3:]
