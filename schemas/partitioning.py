"""Which partition a user is in: murmur2 over the key, as Java's default partitioner and librdkafka's `murmur2`."""

_SEED = 0x9747B28C
_M = 0x5BD1E995
_MASK = 0xFFFFFFFF


def murmur2(key: bytes) -> int:
    """Return the 32-bit murmur2 hash of `key` (unsigned), with Kafka's seed.

    Source: `org.apache.kafka.common.utils.Utils.murmur2`.
    """
    length = len(key)
    h = _SEED ^ length
    whole = length & ~3
    for i in range(0, whole, 4):
        k = int.from_bytes(key[i : i + 4], "little") * _M & _MASK
        k = (k ^ (k >> 24)) * _M & _MASK
        h = (h * _M & _MASK) ^ k
    if whole < length:
        h = (h ^ int.from_bytes(key[whole:], "little")) * _M & _MASK
    h = (h ^ (h >> 13)) * _M & _MASK
    return h ^ (h >> 15)


def partition_of(aam_uuid: str, partitions: int) -> int:
    """Return the partition number of a user in every user-keyed topic of `partitions` partitions."""
    return (murmur2(aam_uuid.encode()) & 0x7FFFFFFF) % partitions
