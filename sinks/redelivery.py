"""Delivers again, on request, what a sink set aside: its dead letters that are redriven. Source: ADR 10."""

from collections.abc import Collection, Mapping, Sequence

import msgspec

from runtime.processor import InputRecord, OutputRecord, Processor
from schemas.requests import REDRIVE, is_request, request_origin


class Redelivery:
    """Hosts a sink's processors over the topic `sink-requests`.

    Each gets the records that it had set aside as they were, at the offsets that they had: so what they are written to
    has to see by itself what is older than what it holds.
    """

    def __init__(self, sink: str, processors: Mapping[str, Processor]) -> None:
        """Give what `sink` is asked for to its processors, by the topic that they read."""
        self._sink = sink
        self._processors = processors

    def process(self, records: Sequence[InputRecord]) -> Sequence[OutputRecord]:
        """Give each record to its processor; requests to others are passed over.

        Raises:
            Backpressure: the sink takes nothing now.
        """
        by_topic: dict[str, list[InputRecord]] = {topic: [] for topic in self._processors}
        for record in records:
            origin = request_origin(record.headers)
            if origin is not None and origin[0] in by_topic and is_request(record.headers, self._sink, REDRIVE):
                by_topic[origin[0]].append(original_record(record))
        outputs: list[OutputRecord] = []
        for topic, found in by_topic.items():
            if found:
                outputs += self._processors[topic].process(found)
        return outputs

    def punctuate(self, now_ms: int, partitions: Collection[int]) -> Sequence[OutputRecord]:  # noqa: ARG002
        """Nothing is ever due."""
        return ()

    def committed(self) -> None:
        """Tell the processors."""
        for processor in self._processors.values():
            processor.committed()

    def aborted(self) -> None:
        """Tell the processors."""
        for processor in self._processors.values():
            processor.aborted()


def original_record(record: InputRecord) -> InputRecord:
    """Return the record that a request holds, at the place that it had."""
    origin = request_origin(record.headers)
    if origin is None:
        return msgspec.structs.replace(record, offset=0)
    return msgspec.structs.replace(record, partition=origin[1], offset=origin[2])
