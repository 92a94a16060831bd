"""The configuration of what is hosted by a transaction loop: processors, sinks, destinations."""

from typing import Annotated, Literal

from pydantic import Field

from runtime.settings_base import Section

Port = Annotated[int, Field(ge=0, le=65535)]


class ProcessorSettings(Section):
    """A processor's loop. `ordinal` makes its transactional ID stable across restarts."""

    management_port: Port
    ordinal: int = Field(0, ge=0, le=100_000, description="stable number of this replica, unique in the group")
    group_protocol: Literal["classic", "consumer"] = Field("classic", description="consumer is KIP-848")
    commit_interval_ms: int = Field(200, ge=10, le=10_000)
    max_transaction_records: int = Field(10_000, ge=1, le=1_000_000, description="input records per transaction")
    batch_records: int = Field(2_000, ge=1, le=100_000, description="most input records fetched at a time")
    session_timeout_ms: int = Field(45_000, ge=6_000, le=1_800_000)
    watchdog_s: int = Field(
        300, ge=0, le=86_400, description="without progress while records wait, then exit; 0: never"
    )
    transaction_timeout_ms: int = Field(15_000, ge=1_000, le=900_000)
    poison_run_records: int = Field(
        20, ge=0, le=1_000_000, description="most records in a row that are set aside as they cannot be processed; "
        "one more stops the service"
    )  # fmt: skip
    poison_share_percent: float = Field(
        5, ge=0, le=100, description="most of the last 5000 to 10000 records that are set aside so, where those are "
        "more than poison_run_records"
    )  # fmt: skip
