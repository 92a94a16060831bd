from ingest.partitions import ANY, Partitions


def spread(count: int) -> Partitions:
    partitions = Partitions(batch_s=0.002)
    partitions.become(count)
    return partitions


def send(partitions: Partitions, now_s: float) -> int:
    partition = partitions.choose(now_s)
    partitions.sent(partition)
    return partition


def test_the_client_chooses_while_nothing_is_known() -> None:
    partitions = Partitions(batch_s=0.002)
    assert send(partitions, 0.0) == ANY
    partitions.ended(ANY)
    assert send(partitions, 1.0) == ANY


def test_what_comes_within_a_batch_goes_together_and_the_next_batch_elsewhere() -> None:
    partitions = spread(3)
    assert [send(partitions, now_s) for now_s in (1.0, 1.001, 1.0021, 1.003, 1.005)] == [0, 0, 1, 1, 2]


def test_a_partition_gets_no_second_batch_before_the_first_is_acknowledged() -> None:
    partitions = spread(3)
    assert [send(partitions, now_s) for now_s in (1, 2, 3, 4)] == [0, 1, 2, ANY]
    partitions.ended(1)
    assert [send(partitions, now_s) for now_s in (5, 6)] == [1, ANY]


def test_a_partition_without_a_leader_keeps_one_batch_and_is_left_out() -> None:
    partitions = spread(3)
    assert send(partitions, 0) == 0
    for now_s in range(1, 50):
        chosen = send(partitions, now_s)
        assert chosen in {1, 2}
        partitions.ended(chosen)


def test_each_partition_has_its_turn() -> None:
    partitions = spread(4)
    chosen = []
    for now_s in range(8):
        chosen.append(send(partitions, now_s))
        partitions.ended(chosen[-1])
    assert chosen == [0, 1, 2, 3, 0, 1, 2, 3]


def test_new_partitions_are_used_and_what_is_unacknowledged_of_the_old_ones_is_still_known() -> None:
    partitions = spread(1)
    assert [send(partitions, now_s) for now_s in (1, 2)] == [0, ANY]
    partitions.become(2)
    assert [send(partitions, now_s) for now_s in (3, 4)] == [1, ANY]
    partitions.ended(ANY)
    partitions.ended(0)
    assert send(partitions, 5) == 0


def test_a_topic_that_was_made_again_with_less_partitions_gets_nothing_beyond_them() -> None:
    partitions = spread(3)
    assert [send(partitions, now_s) for now_s in (1, 2, 3)] == [0, 1, 2]
    partitions.become(1)
    assert send(partitions, 4) == ANY
    for partition in (2, 1, 0):
        partitions.ended(partition)
    for now_s in (5, 6):
        assert send(partitions, now_s) == 0
        partitions.ended(0)
