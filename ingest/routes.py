"""The routes that FastAPI serves: the contract, its documentation, the problems. Their errors are problems too.

Source: interfaces, *HTTP, ingest*.
"""

from collections.abc import Awaitable, Callable, Collection
from importlib.metadata import version
from typing import Any

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ingest import contract
from ingest.authentication.documents import message_security, security_schemes
from ingest.authentication.token_endpoint import TokenEndpoint
from ingest.authentication.token_route import add_token_route
from ingest.problems import (
    INTERNAL_ERROR,
    INVALID_REQUEST,
    METHOD_NOT_ALLOWED,
    PROBLEMS,
    UNKNOWN_ROUTE,
    HeaderList,
    Problem,
    document,
    response,
)
from ingest.request import RequestIds
from runtime.metrics import INGEST_ANSWERS
from runtime.settings import SourceSettings

_log = structlog.get_logger()

_TITLE = "Segwire ingest"
_DESCRIPTION = "Receives real-time audience-segment messages and stores them durably before it answers."


def build_api(sources: Collection[SourceSettings], token_endpoint: TokenEndpoint) -> FastAPI:
    """Return the application for every path but the hot one; the document tells how to authenticate at `sources`."""
    api = FastAPI(
        title=_TITLE,
        description=_DESCRIPTION,
        version=version("segwire"),
        redoc_url=None,
        exception_handlers={
            HTTPException: _on_http_exception,
            RequestValidationError: _on_invalid_request,
            Exception: _on_failure,
        },
    )

    @api.get(
        "/problems/{name}",
        tags=["problems"],
        operation_id="describe_problem",
        summary="What a problem's type means",
        responses=contract.PROBLEM_RESPONSES,
    )
    async def describe_problem(name: str) -> dict[str, str | int]:
        problem = PROBLEMS.get(name)
        if problem is None:
            raise HTTPException(404)
        return {"type": problem.type, "title": problem.title, "status": problem.status, "remedy": problem.remedy}

    add_token_route(api, token_endpoint)
    api.openapi = lambda: _openapi(api, sources)  # type: ignore[method-assign] # FastAPI's documented way to extend it
    return api


def _openapi(api: FastAPI, sources: Collection[SourceSettings]) -> dict[str, Any]:
    if api.openapi_schema is None:
        schema = get_openapi(title=api.title, version=api.version, description=_DESCRIPTION, routes=api.routes)
        contract.complete(schema["paths"])
        operation = {**contract.OPERATION, "security": message_security(sources)}
        schema["paths"] = {contract.PATH: {"post": operation}, **schema["paths"]}
        components = schema.setdefault("components", {})
        components["schemas"] = contract.SCHEMAS
        components["securitySchemes"] = security_schemes(sources)
        api.openapi_schema = schema
    return api.openapi_schema


class NamedAnswers:
    """Gives every answer of an application its `x-request-id`, and counts it."""

    def __init__(self, app: ASGIApp, ids: RequestIds) -> None:
        """Wrap `app`."""
        self._app = app
        self._ids = ids

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        headers = dict(scope["headers"])
        request_id = self._ids.of(headers)
        scope.setdefault("state", {})["request_id"] = request_id
        # Who asks before it sends may be answered before it has: then nobody knows what the next bytes are.
        more = [(b"connection", b"close")] if b"expect" in headers else []
        try:
            await self._app(scope, receive, _naming(send, [(b"x-request-id", request_id.encode()), *more]))
        except Exception:  # noqa: BLE001 - logged, and one request's failure must not be the connection's
            # The framework answers 500 first and raises then, for the server to log.
            _log.exception("request_failed", request_id=request_id)


def _naming(send: Send, added: HeaderList) -> Callable[[Message], Awaitable[None]]:
    async def named(message: Message) -> None:
        if message["type"] == "http.response.start":
            kept = [(name, value) for name, value in message.get("headers", []) if name.lower() != b"x-request-id"]
            message["headers"] = [*kept, *added]
        await send(message)

    return named


class Dispatcher:
    """Sends what is below `prefix` straight to the hot path, everything else to the other application."""

    def __init__(self, prefix: str, hot: ASGIApp, other: ASGIApp, ids: RequestIds) -> None:
        """Serve both."""
        self._ids = ids
        self._prefix = prefix
        self._hot = hot
        self._other = other

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if not scope["path"].startswith(self._prefix):
            await self._other(scope, receive, send)
            return
        try:
            await self._hot(scope, receive, send)
        except Exception:  # noqa: BLE001 - logged, and answered
            request_id = self._ids.of(dict(scope["headers"]))
            _log.exception("request_failed", request_id=request_id)
            INGEST_ANSWERS.labels("unknown", "500", INTERNAL_ERROR.name).inc()
            headers, body = response(INTERNAL_ERROR, INTERNAL_ERROR.remedy, request_id)
            await send({"type": "http.response.start", "status": 500, "headers": headers})
            await send({"type": "http.response.body", "body": body})


async def _on_http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == 405:
        detail = f"{request.method} is not allowed at {request.url.path}"
        return _problem(request, METHOD_NOT_ALLOWED, detail, dict(error.headers or {}))
    return _problem(request, UNKNOWN_ROUTE, f"There is nothing at {request.url.path[:80]}: see /openapi.json")


async def _on_invalid_request(request: Request, error: Exception) -> Response:
    return _problem(request, INVALID_REQUEST, f"{INVALID_REQUEST.title} {error}")


async def _on_failure(request: Request, _error: Exception) -> Response:
    return _problem(request, INTERNAL_ERROR, INTERNAL_ERROR.remedy)


def _problem(request: Request, problem: Problem, detail: str, headers: dict[str, str] | None = None) -> Response:
    INGEST_ANSWERS.labels("unknown", str(problem.status), problem.name).inc()
    return Response(
        document(problem, detail, request.state.request_id),
        problem.status,
        headers,
        media_type="application/problem+json",
    )
