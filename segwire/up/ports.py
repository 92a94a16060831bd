"""The ports of the children: chosen once and kept across restarts, checked before anything starts."""

import random
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import psutil

from runtime.errors import ConfigurationError, SegwireError
from runtime.settings import Settings

# Below the range from which the kernel takes ports for outgoing connections, so that a port is still free when its
# service is started again.
_FREE_PORTS = range(20_000, 32_000)
_TRIES = 200
_SINK_SECTIONS = frozenset({"sinks", "destinations"})


@dataclass(frozen=True)
class Address:
    """An address to listen on, and the setting that says so."""

    setting: str
    host: str
    port: int


def addresses(settings: Settings) -> list[Address]:
    """Return every address that the children of `up` listen on."""
    management = settings.management.host
    return [
        Address("ingest.port", settings.ingest.host, settings.ingest.port),
        Address("ingest.management_port", management, settings.ingest.management_port),
        Address("fan_out.management_port", management, settings.fan_out.management_port),
        Address("membership.management_port", management, settings.membership.management_port),
        *(
            Address(_sink_setting(settings, name), management, section.management_port)
            for name, section in settings.effective_sinks().items()
        ),
    ]


def settle_ports(settings: Settings) -> Settings:
    """Replace every port 0 by a free one, and see that the others are free.

    Raises:
        ConfigurationError: two settings name one port.
        SegwireError: a port is taken.
    """
    wanted = addresses(settings)
    _check_distinct(wanted)
    taken = {address.port for address in wanted}
    found: dict[str, int] = {}
    for address in wanted:
        port = address.port
        if port == 0:
            port = free_port(address.host, taken)
            taken.add(port)
        else:
            check_free(address)
        found[address.setting] = port
    return _with_ports(settings, found)


def _with_ports(settings: Settings, ports: Mapping[str, int]) -> Settings:
    """Put ports, by the path of their setting, into the configuration."""
    sinks = {name: ports[_sink_setting(settings, name)] for name in settings.effective_sinks()}
    sections: dict[str, dict[str, int]] = {}
    for setting, port in ports.items():
        section, _, field = setting.partition(".")
        if section not in _SINK_SECTIONS:
            sections.setdefault(section, {})[field] = port
    changed = {name: getattr(settings, name).model_copy(update=fields) for name, fields in sections.items()}
    return settings.model_copy(update=changed).with_sink_ports(sinks)


def _sink_setting(settings: Settings, name: str) -> str:
    return f"{'sinks' if name in settings.sinks else 'destinations'}.{name}.management_port"


def _check_distinct(wanted: list[Address]) -> None:
    seen: dict[int, Address] = {}
    for address in wanted:
        other = seen.setdefault(address.port, address)
        if address.port and other is not address:
            raise ConfigurationError(
                f"{address.setting}: {address.port} is also {other.setting}; give each a port of its own, or 0"
            )


def free_port(host: str, taken: set[int], choose: Callable[[range], int] = random.choice) -> int:
    """Return a port of `host` on which nobody listens and which is not in `taken`."""
    for _ in range(_TRIES):
        port = choose(_FREE_PORTS)
        if port not in taken and _bind_error(host, port) is None:
            return port
    raise SegwireError(f"no free port was found on {host} in {_TRIES} tries; see what listens there: ss -ltnp")


def check_free(address: Address) -> None:
    """See that an address can be listened on.

    Raises:
        SegwireError: it cannot; the message names who holds it where that can be seen.
    """
    error = _bind_error(address.host, address.port)
    if error is None:
        return
    raise SegwireError(
        f"{address.setting}: {address.host}:{address.port} cannot be opened ({error.strerror or error})"
        f"{_holder(address.port)}; stop what uses it, choose another port (--port), or --port 0 for free ones"
    )


def _bind_error(host: str, port: int) -> OSError | None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        # As the servers do: connections that linger after a stop are no obstacle.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen(1)
        except OSError as error:
            return error
    return None


def _holder(port: int) -> str:
    try:
        found = [
            c.pid for c in psutil.net_connections("tcp") if c.laddr and c.laddr.port == port and c.status == "LISTEN"
        ]
        pid = next((pid for pid in found if pid), None)
        return "" if pid is None else f", process {pid} ({' '.join(psutil.Process(pid).cmdline())[:80]}) listens there"
    except (psutil.Error, OSError):
        return ""


def local_url(host: str, port: int, *, secure: bool = False) -> str:
    """Return the URL at which this machine reaches what listens on `host`."""
    name = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(host, host)  # noqa: S104 - compared, not bound
    scheme = "https" if secure else "http"
    return f"{scheme}://[{name}]:{port}" if ":" in name else f"{scheme}://{name}:{port}"


def service_urls(settings: Settings) -> Mapping[str, str]:
    """Return the URLs of the ready file. Source: interfaces, *Command line*."""
    management = settings.management.host
    return {
        "ingest": local_url(settings.ingest.host, settings.ingest.port, secure=settings.ingest.tls is not None),
        "ingest-management": local_url(management, settings.ingest.management_port),
        "fan-out-management": local_url(management, settings.fan_out.management_port),
        "membership-management": local_url(management, settings.membership.management_port),
        **{
            f"sink-{name}-management": local_url(management, section.management_port)
            for name, section in settings.effective_sinks().items()
        },
    }
