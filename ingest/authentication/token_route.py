"""Serves the token endpoint."""

from fastapi import FastAPI, Request, Response
from starlette.requests import ClientDisconnect

from ingest.authentication.documents import TOKEN_PATH, TOKEN_RESPONSES, TOKEN_ROUTE
from ingest.authentication.token_endpoint import TokenEndpoint, too_long

_BODY_BYTES_MAX = 16_384


def add_token_route(api: FastAPI, endpoint: TokenEndpoint) -> None:
    """Add `POST /oauth2/token`."""

    @api.post(
        TOKEN_PATH,
        tags=["tokens"],
        operation_id="issue_token",
        summary="Take a bearer token",
        response_class=Response,
        responses=TOKEN_RESPONSES,
        openapi_extra=TOKEN_ROUTE,
    )
    async def issue_token(request: Request) -> Response:
        body = await _read(request)
        if body is None:
            answer = too_long(_BODY_BYTES_MAX)
        else:
            content_type = request.headers.get("content-type", "")
            answer = endpoint.answer(request.headers.getlist("authorization"), content_type, body)
        return Response(answer.body, answer.status, answer.headers)


async def _read(request: Request) -> bytes | None:
    """Return the body; None where it is too long."""
    body = b""
    try:
        async for part in request.stream():
            body += part
            if len(body) > _BODY_BYTES_MAX:
                return None
    except ClientDisconnect:
        return b""  # Nobody hears the answer.
    return body
