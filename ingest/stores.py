"""The durable stores of one worker, put together: Kafka, the spool, what keeps them going."""

from pathlib import Path
from typing import Self

import msgspec

from ingest.admission import Limits
from ingest.client import MakeProducer
from ingest.local_store import LocalStore
from ingest.partitions import Partitions
from ingest.probe import Probe
from ingest.publisher import DurablePublisher
from ingest.readiness import Readiness
from ingest.spool.layout import spool_parent, worker_name
from ingest.spool.state import SpoolLimits
from ingest.states import holding, publish_states
from ingest.upkeep import Upkeep
from runtime.clock import Clock
from runtime.settings import Settings
from schemas.topics import TopicNames

# Kafka is not needed, but where it is there the first message need not go over the spool.
_FIRST_CONTACT_S = 2.0
# What Kafka has not acknowledged then goes to the spool.
_FLUSH_S = 2.0


class Stores(msgspec.Struct, frozen=True):
    """Where messages go."""

    local: LocalStore
    publisher: DurablePublisher
    probe: Probe
    upkeep: Upkeep

    @classmethod
    async def open(
        cls,
        settings: Settings,
        make_producer: MakeProducer,
        queue_bytes_max: int,
        readiness: Readiness,
        clock: Clock,
        worker: int,
        workers: int,
    ) -> Self:
        """Take the spool of `worker`, and begin to connect to Kafka.

        Raises:
            SpoolLocked: another process holds it.
            SpoolVersionUnknown: another version of Segwire wrote a part of it.
        """
        ingest, names = settings.ingest, TopicNames(settings.kafka.topic_prefix)
        spools = spool_parent(Path(settings.data_dir))
        limits = SpoolLimits(bytes_max=ingest.spool.max_bytes, segment_bytes=ingest.spool.segment_bytes)
        local = LocalStore(spools / worker_name(worker), limits, clock)
        await local.open()
        publisher = DurablePublisher(
            make_producer,
            local,
            Limits(ingest.ack_wait_ms, ingest.ack_timeout_ms),
            clock,
            queue_bytes_max=queue_bytes_max,
            partitions={names.aam_posts: Partitions(ingest.linger_ms / 1000)},
        )
        publish_states(lambda: holding(readiness, publisher.circuit.state, local.level()))
        probe = Probe(publisher.client, publisher, (names.aam_posts, names.dead_letters), clock)
        upkeep = Upkeep(
            ingest,
            local,
            publisher,
            probe,
            clock,
            adopts_from=spools if worker == 0 else None,
            except_for=[worker_name(number) for number in range(workers)],
        )
        return cls(local, publisher, probe, upkeep)

    async def start(self) -> None:
        """Wait a moment for Kafka, then look after the stores until `close`."""
        await self.probe.first_contact(_FIRST_CONTACT_S)
        self.upkeep.start()

    async def close(self) -> int:
        """Bring what is in flight to one of the stores, and let go; return how many records neither has."""
        await self.upkeep.stop()
        left = await self.publisher.close(_FLUSH_S)
        await self.local.close()
        return left
