"""What proxies in front say of a request: believed from those that are configured, ignored from all others."""

from collections.abc import Sequence
from typing import Any, cast

from starlette.types import ASGIApp
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware


def believing(app: ASGIApp, trusted_proxies: Sequence[str]) -> ASGIApp:
    """Return `app` as it sees requests through `trusted_proxies`: their sender and scheme instead of the proxy's own.

    Source: X-Forwarded-For and X-Forwarded-Proto. The sender is the last address that is no trusted proxy.
    """
    if not trusted_proxies:
        return app
    return cast("ASGIApp", ProxyHeadersMiddleware(cast("Any", app), trusted_hosts=list(trusted_proxies)))
