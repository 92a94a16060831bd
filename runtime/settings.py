"""The configuration: one frozen class per concern, checked whole before anything starts.

`segwire.yaml`, then environment variables `SEGWIRE_<PATH>` with `__` between levels. Source: interfaces,
*Configuration*. Reading is in `runtime.settings_loader`.
"""

from collections.abc import Mapping
from itertools import count
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from runtime.authentication_settings import HmacSettings, OAuth2Settings
from runtime.destination_settings import DestinationSettings
from runtime.http_settings import LimitSettings, Network, TlsSettings, is_loopback
from runtime.processor_settings import Port, ProcessorSettings
from runtime.registry_settings import SchemaRegistrySettings
from runtime.settings_base import Section as _Section
from runtime.sink_settings import FIRST_SINK_PORT, SinkSettings
from runtime.traces_settings import TracesSettings

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$")]


class KafkaSettings(_Section):
    """Where Kafka is, and how topics are made."""

    bootstrap_servers: str | None = Field(None, description="HOST:PORT[,HOST:PORT…]; none: no Kafka is known")
    topic_prefix: str = Field(
        "", max_length=128, pattern=r"^[A-Za-z0-9._-]*$", description="put before every topic name"
    )
    partitions: int = Field(12, ge=1, le=10_000, description="of every user-keyed topic; cannot be changed later")
    replication_factor: int = Field(3, ge=1, le=10)
    properties: dict[str, str | int | float | bool] = Field(
        default_factory=dict, description="further librdkafka properties, as security.protocol"
    )


class SourceSettings(_Section):
    """One sending account: `POST /v1/aam/{name}`. Each way of authentication that it has must be satisfied."""

    hmac: HmacSettings | None = None
    oauth2: OAuth2Settings | None = None
    allow_unauthenticated: bool = Field(False, description="accept messages without any authentication")
    max_body_bytes: int = Field(1_048_576, ge=1024, le=8 << 20, description="as received, and inflated")


class SpoolSettings(_Section):
    """What Kafka does not take in time, on disk in `spool` below the data directory: one directory per worker."""

    max_bytes: int = Field(1 << 30, ge=1 << 20, le=1 << 46, description="of each worker; nothing is ever evicted")
    segment_bytes: int = Field(64 << 20, ge=64 << 10, le=1 << 30, description="from which size on a file is closed")
    replay_per_s: int = Field(
        5000, ge=1, le=1_000_000, description="most messages replayed while others come in; without those no limit"
    )

    @model_validator(mode="after")
    def _segments_fit(self) -> Self:
        if self.segment_bytes > self.max_bytes:
            raise ValueError(
                f"ingest.spool.segment_bytes: {self.segment_bytes} is more than max_bytes ({self.max_bytes}); "
                "choose a smaller segment"
            )
        return self


class IngestSettings(_Section):
    """The HTTP endpoint."""

    host: str = Field("127.0.0.1", description="address to listen on")
    port: Port = 8080
    management_port: Port = 8081
    workers: int = Field(1, ge=1, le=256, description="processes that share the port, each with a spool of its own")
    ack_wait_ms: int = Field(750, ge=10, le=2900, description="for Kafka to acknowledge, before the spool is used")
    ack_timeout_ms: int = Field(2200, ge=50, le=2900, description="until a message that no store has is answered 503")
    linger_ms: float = Field(2.0, ge=0, le=100, description="how long the producer waits to fill a batch")
    hot_route: Literal["direct", "asgi"] = Field(
        "direct", description="who answers messages: the connection itself, or, slower, the ASGI application"
    )
    drain_grace_ms: int = Field(
        500, ge=0, le=60_000, description="on SIGTERM: still served while /readyz says that it ends"
    )
    drain_timeout_ms: int = Field(10_000, ge=0, le=60_000, description="for requests in flight, after the grace")
    spool: SpoolSettings = SpoolSettings()
    token_key_files: list[str] = Field(
        default_factory=list,
        max_length=16,
        description="keys of bearer tokens, the same in every replica: the first signs, all verify; "
        "none: one is made and kept in the data directory",
    )
    tls: TlsSettings | None = None
    limits: LimitSettings = LimitSettings()
    behind_proxy: bool = Field(False, description="plain HTTP from outside: a proxy in front speaks HTTPS")
    trusted_proxies: list[Network] = Field(
        default_factory=list,
        max_length=256,
        description="addresses and networks whose X-Forwarded-For and X-Forwarded-Proto are believed; of all others "
        "they are ignored",
    )


class FanOutSettings(ProcessorSettings):
    """The fan-out processor."""

    management_port: Port = 8082


class SegmentSettings(_Section):
    """What is configured of one segment."""

    ttl_days: int | None = Field(None, ge=0, le=36_500, description="0: never expires; absent: the default")
    name: str | None = Field(None, max_length=256)


class MembershipSettings(ProcessorSettings):
    """The membership processor and the rules it hosts."""

    management_port: Port = 8083
    default_ttl_days: int = Field(120, ge=0, le=36_500, description="time-to-live of a membership; 0: never")
    inactivity_days: int = Field(120, ge=1, le=36_500, description="after which an unseen user is removed")
    tombstone_after_days: int = Field(7, ge=0, le=3650, description="from a removal to the rows' tombstones")
    removal_marker_days: int = Field(
        30, ge=1, le=36_500, description="how long it is remembered that a user was removed; more than a message lives"
    )
    segments: dict[str, SegmentSettings] = Field(default_factory=dict)
    metrics_segments: list[str] = Field(
        default_factory=list, max_length=500,
        description="IDs of the segments that metrics tell the size of, and who enters and leaves; up to six series "
        "each, so none by default",
    )  # fmt: skip
    block_cache_bytes: int = Field(64 << 20, ge=1 << 20, le=64 << 30)
    memtable_bytes: int = Field(32 << 20, ge=1 << 20, le=4 << 30)


class ManagementSettings(_Section):
    """The management ports: health and metrics, without authentication."""

    host: str = Field("127.0.0.1", description="address to listen on; 0.0.0.0 where probes come from outside")


class LogSettings(_Section):
    """Logs to standard error."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["auto", "json", "text"] = Field("auto", description="auto: text on a terminal, JSON elsewhere")


class Settings(_Section):
    """The whole configuration."""

    data_dir: str = Field(".segwire", description="of everything kept on this machine")
    kafka: KafkaSettings = KafkaSettings()
    schema_registry: SchemaRegistrySettings = SchemaRegistrySettings()
    sources: dict[Name, SourceSettings] | None = Field(None, description="absent: the built-in source dev")
    ingest: IngestSettings = IngestSettings()
    fan_out: FanOutSettings = FanOutSettings()
    membership: MembershipSettings = MembershipSettings()
    destinations: dict[Name, DestinationSettings] = Field(default_factory=dict)
    sinks: dict[Name, SinkSettings] = Field(default_factory=dict)
    management: ManagementSettings = ManagementSettings()
    log: LogSettings = LogSettings()
    traces: TracesSettings = TracesSettings()

    def effective_sources(self) -> dict[str, SourceSettings]:
        """Return the configured sources, else the built-in `dev`."""
        if self.sources is None:
            return {"dev": SourceSettings(allow_unauthenticated=True)}
        return dict(self.sources)

    def effective_sinks(self) -> dict[str, SinkSettings | DestinationSettings]:
        """Return everything that runs as a sink, by name, each with a management port.

        One that has no port of its own gets the next from 8084 on, sinks first, in the order of the configuration.
        """
        sections: dict[str, SinkSettings | DestinationSettings] = {**self.sinks, **self.destinations}
        own = {
            section.management_port for section in sections.values() if "management_port" in section.model_fields_set
        }
        numbers = (port for port in count(FIRST_SINK_PORT) if port not in own)
        return {
            name: section
            if "management_port" in section.model_fields_set
            else section.model_copy(update={"management_port": next(numbers)})
            for name, section in sections.items()
        }

    def with_sink_ports(self, ports: Mapping[str, int]) -> Self:
        """Return the configuration with these management ports, by the name of the sink or destination."""

        def changed(sections: Mapping[str, Any]) -> dict[str, Any]:
            return {
                name: section.model_copy(update={"management_port": ports[name]}) if name in ports else section
                for name, section in sections.items()
            }

        return self.model_copy(update={"sinks": changed(self.sinks), "destinations": changed(self.destinations)})

    @model_validator(mode="after")
    def _sinks_have_names_of_their_own(self) -> Self:
        both = sorted(set(self.sinks) & set(self.destinations))
        if both:
            raise ValueError(
                f"sinks.{both[0]} and destinations.{both[0]} have one name, and each runs as a sink of its name; "
                "rename one of them"
            )
        return self

    @model_validator(mode="after")
    def _sources_are_authenticated(self) -> Self:
        if self.sources is None and not is_loopback(self.ingest.host):
            raise ValueError(
                f"ingest.host: {self.ingest.host!r} is reachable from outside, but the built-in source dev "
                "accepts anyone; configure sources, or listen on 127.0.0.1"
            )
        for name, source in (self.sources or {}).items():
            authenticated = source.hmac is not None or source.oauth2 is not None
            if not authenticated and not source.allow_unauthenticated:
                raise ValueError(
                    f"sources.{name}: no authentication is configured; give it hmac or oauth2, or "
                    "set allow_unauthenticated: true if everyone who reaches the port may send"
                )
            if authenticated and source.allow_unauthenticated:
                raise ValueError(
                    f"sources.{name}: allow_unauthenticated: true contradicts the authentication that is configured; "
                    "leave one of them out"
                )
        return self

    @model_validator(mode="after")
    def _plain_http_stays_inside(self) -> Self:
        ingest = self.ingest
        if ingest.tls is None and not ingest.behind_proxy and not is_loopback(ingest.host):
            raise ValueError(
                f"ingest.host: {ingest.host!r} is reachable from outside, where plain HTTP can be read and changed on "
                "the way; set ingest.tls, or ingest.behind_proxy: true where a proxy in front speaks HTTPS"
            )
        return self
