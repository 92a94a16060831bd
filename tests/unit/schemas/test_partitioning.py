import pytest

from schemas.partitioning import murmur2, partition_of

# What Kafka's own tests expect of `Utils.murmur2`, as signed 32-bit numbers.
VECTORS = {
    "21": -973932308,
    "foobar": -790332482,
    "a-little-bit-long-string": -985981536,
    "a-little-bit-longer-string": -1486304829,
    "lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
    "abc": 479470107,
}


@pytest.mark.parametrize(("key", "signed"), VECTORS.items())
def test_hash_is_that_of_java(key: str, signed: int) -> None:
    assert murmur2(key.encode()) == signed % 2**32


def test_partition_is_the_positive_hash_modulo_the_count() -> None:
    assert partition_of("foobar", 12) == (-790332482 & 0x7FFFFFFF) % 12
    assert partition_of("abc", 12) == 479470107 % 12


def test_users_spread_over_all_partitions() -> None:
    assert {partition_of(str(user), 12) for user in range(1000)} == set(range(12))
