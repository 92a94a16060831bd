"""Every refusal as a problem document: a stable type, what went wrong and where, and what to do.

Source: interfaces, *HTTP, ingest*; RFC 9457.
"""

from collections.abc import Mapping

import msgspec

MEDIA_TYPE = "application/problem+json"
TYPE_PREFIX = "/problems/"

HeaderList = list[tuple[bytes, bytes]]


class Problem(msgspec.Struct, frozen=True):
    """One kind of refusal; `type` is a path of this server that tells about it."""

    name: str
    status: int
    title: str
    remedy: str

    @property
    def type(self) -> str:
        """The stable `type` member; it ends in the name."""
        return TYPE_PREFIX + self.name


MALFORMED_MESSAGE = Problem(
    "malformed-message",
    400,
    "The body is not a segment message.",
    "Send one JSON object with a Users array; the refused bytes are kept in the topic dead-letters.",
)
BAD_ENCODING = Problem(
    "bad-encoding",
    400,
    "The body does not inflate.",
    "Send a whole gzip stream, or no Content-Encoding; the refused bytes are kept in the topic dead-letters.",
)
BAD_REQUEST = Problem(
    "bad-request",
    400,
    "This is no HTTP/1.1 request.",
    "Send HTTP/1.1 as RFC 9112 has it; a proxy in between may have changed it. Nothing of it is kept.",
)
REQUEST_TIMEOUT = Problem(
    "request-timeout",
    408,
    "The request did not arrive in time.",
    "Send each request whole and at once; ingest.limits says how long is waited.",
)
HEAD_TOO_LARGE = Problem(
    "head-too-large", 431, "The request's head is too large.", "Send fewer or shorter headers, or raise ingest.limits."
)
BAD_SIGNATURE = Problem(
    "bad-signature",
    401,
    "The request is not signed by a key of the source.",
    "Sign the body bytes exactly as they are sent with a key of the source that is valid now.",
)
BAD_TOKEN = Problem(
    "bad-token",
    401,
    "The request has no token that is good at the source.",
    "Take a token from /oauth2/token as a client of the source, and send Authorization: Bearer.",
)
UNKNOWN_SOURCE = Problem(
    "unknown-source", 404, "No such source.", "Configure the source under `sources`, or POST to one that is."
)
UNKNOWN_ROUTE = Problem("unknown-route", 404, "No such route.", "The routes are listed in /openapi.json.")
METHOD_NOT_ALLOWED = Problem(
    "method-not-allowed", 405, "The method is not allowed here.", "Use a method of the Allow header."
)
TOO_LARGE = Problem(
    "too-large", 413, "The body is too large.", "Send fewer users per message, or raise the source's max_body_bytes."
)
UNSUPPORTED_MEDIA_TYPE = Problem(
    "unsupported-media-type",
    415,
    "The body's media type or encoding is not accepted.",
    "Send Content-Type: application/json (UTF-8), and Content-Encoding: gzip or none.",
)
INVALID_REQUEST = Problem("invalid-request", 422, "The request is not as documented.", "Compare it to /openapi.json.")
INTERNAL_ERROR = Problem(
    "internal-error", 500, "The server failed.", "Send the message again; look for the request id in the logs."
)
NO_DURABLE_STORE = Problem(
    "no-durable-store",
    503,
    "The message could not be stored durably.",
    "Send the message again; the operator finds the cause at /readyz and in the logs.",
)

PROBLEMS: Mapping[str, Problem] = {
    problem.name: problem
    for problem in (
        MALFORMED_MESSAGE,
        BAD_ENCODING,
        BAD_REQUEST,
        BAD_SIGNATURE,
        BAD_TOKEN,
        UNKNOWN_SOURCE,
        UNKNOWN_ROUTE,
        METHOD_NOT_ALLOWED,
        REQUEST_TIMEOUT,
        TOO_LARGE,
        UNSUPPORTED_MEDIA_TYPE,
        INVALID_REQUEST,
        HEAD_TOO_LARGE,
        INTERNAL_ERROR,
        NO_DURABLE_STORE,
    )
}


class Refusal(Exception):  # noqa: N818 - named for what it tells
    """A request is answered with a problem; `extra` are further members of its document."""

    def __init__(
        self,
        problem: Problem,
        detail: str,
        *,
        headers: HeaderList | None = None,
        extra: Mapping[str, str] | None = None,
    ) -> None:
        """Say in `detail` what was wrong, where, and what to do."""
        super().__init__(detail)
        self.problem = problem
        self.detail = detail
        self.headers: HeaderList = headers or []
        self.extra: Mapping[str, str] = extra or {}


def document(problem: Problem, detail: str, request_id: str, extra: Mapping[str, str] | None = None) -> bytes:
    """Return the document's bytes (JSON, UTF-8)."""
    members: dict[str, str | int] = {
        "type": problem.type,
        "title": problem.title,
        "status": problem.status,
        "detail": detail,
        "request_id": request_id,
        **(extra or {}),
    }
    return msgspec.json.encode(members)


def response(
    problem: Problem, detail: str, request_id: str, extra: Mapping[str, str] | None = None
) -> tuple[HeaderList, bytes]:
    """Return the headers and the body of a refusal."""
    body = document(problem, detail, request_id, extra)
    headers = [
        (b"content-type", MEDIA_TYPE.encode()),
        (b"content-length", b"%d" % len(body)),
        (b"x-request-id", request_id.encode()),
    ]
    return headers, body
