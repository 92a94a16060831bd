"""The configuration of the sinks: one class each, told apart by `type`."""

from typing import Literal, Self

from pydantic import Field, SecretStr, model_validator

from runtime.processor_settings import Port, ProcessorSettings

FIRST_SINK_PORT = 8084


class PostgresSinkSettings(ProcessorSettings):
    """A PostgreSQL database that holds the membership and its changes as tables."""

    type: Literal["postgres"]
    management_port: Port = Field(
        FIRST_SINK_PORT, description="where none is given, sinks and then destinations count on from 8084"
    )
    batch_records: int = Field(10_000, ge=1, le=100_000, description="most records written in one transaction")
    statement_timeout_s: int = Field(
        30, ge=1, le=60, description="most that a statement may take; one not answered 5 s later ends the connection"
    )
    dsn_file: str | None = Field(
        None, min_length=1, description="file that holds the connection string; read again at each new connection"
    )
    dsn: SecretStr | None = Field(
        None, min_length=1, description="the connection string itself, for where there are no files"
    )

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.dsn is None) == (self.dsn_file is None):
            raise ValueError("needs dsn_file, the path of a file, or dsn; and not both")
        return self


# A second type makes this a union, `Annotated[A | B, Field(discriminator="type")]`.
SinkSettings = PostgresSinkSettings
