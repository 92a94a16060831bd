"""A connection that waits for no answer longer than it was told to."""

from typing import Any, Self

import psycopg
from psycopg import Connection
from psycopg.abc import RV, PQGen
from psycopg.pq import TransactionStatus

_INTERVAL_S = 0.1
# A server that vanished is noticed within seconds, also where it says nothing at all.
_DEFAULTS: dict[str, str | int] = {
    "connect_timeout": 5,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
    "application_name": "segwire",
}


class ImpatientConnection(Connection[Any]):
    """A connection that is dropped when a statement is not answered in time, by a server that is frozen or cut off.

    The server's own `statement_timeout` needs a server that runs, and TCP's limits one that is gone.
    """

    limit_s = 35.0

    @classmethod
    def open(cls, parameters: dict[str, str | int], limit_s: float) -> Self:
        """Connect, with our limits where `parameters` says nothing, and wait `limit_s` for each answer.

        Raises:
            psycopg.Error: there is nobody, or no answer.
        """
        connection = cls.connect(**{**_DEFAULTS, **parameters}, autocommit=True)  # type: ignore[arg-type]
        connection.limit_s = limit_s
        return connection

    def wait(self, gen: PQGen[RV], interval: float = _INTERVAL_S, timeout: float | None = None) -> RV:
        """Wait for an answer, as the base class does.

        Raises:
            psycopg.OperationalError: none came in time; the connection is closed.
        """
        limit_s = self.limit_s if timeout is None else timeout
        try:
            return super().wait(gen, interval, limit_s)
        except psycopg.OperationalError as error:
            if self.pgconn.transaction_status != TransactionStatus.ACTIVE:
                raise
            # What else is tried on it, as a rollback, would wait again.
            self.pgconn.finish()
            raise psycopg.OperationalError(f"no answer within {limit_s:g} s") from error
