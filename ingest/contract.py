"""What the OpenAPI document says of `POST /v1/aam/{source}`, which is served beside FastAPI.

Source: interfaces, *HTTP, ingest*; wire format, *Message*.
"""

from typing import Any

from ingest.problems import (
    BAD_ENCODING,
    BAD_REQUEST,
    BAD_SIGNATURE,
    BAD_TOKEN,
    HEAD_TOO_LARGE,
    INTERNAL_ERROR,
    MALFORMED_MESSAGE,
    MEDIA_TYPE,
    METHOD_NOT_ALLOWED,
    NO_DURABLE_STORE,
    REQUEST_TIMEOUT,
    TOO_LARGE,
    UNKNOWN_ROUTE,
    UNKNOWN_SOURCE,
    UNSUPPORTED_MEDIA_TYPE,
    Problem,
)

Schema = dict[str, Any]

PATH = "/v1/aam/{source}"

_REQUEST_ID = {"description": "Names the request, in the answer and in the logs.", "schema": {"type": "string"}}


def _scalar(description: str) -> Schema:
    # Without a type: another value is accepted too, and set aside behind the answer.
    return {"description": f"{description} A string or a number."}


def _reference(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def _object(description: str, required: list[str], properties: Schema) -> Schema:
    return {"type": "object", "description": description, "required": required, "properties": properties}


SCHEMAS: dict[str, Schema] = {
    "Message": _object(
        "One real-time outbound message. Unknown members are kept and ignored. An object with an array `Users` is "
        "accepted; what is in it is read behind the answer, and a bad user is set aside alone.",
        ["Users"],
        {
            "ProcessTime": _scalar("When the request was executed."),
            "User_DPID": _scalar("The data source of the DataPartner_UUIDs; may be absent."),
            "Client_ID": _scalar("The receiver's own account ID."),
            "AAM_Destination_Id": _scalar("The sender's destination; AAM_Destination_ID is accepted too."),
            "User_count": _scalar("The number of entries in Users."),
            "Users": {"type": "array", "description": "One entry per user.", "items": {}},
        },
    ),
    "Problem": _object(
        "A problem document (RFC 9457).",
        ["type", "title", "status", "detail", "request_id"],
        {
            "type": {"type": "string", "description": "Stable; its last part is the problem's name."},
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "detail": {"type": "string", "description": "What was wrong, where, and what to do."},
            "request_id": {"type": "string"},
            "where": {"type": "string", "description": "Of a malformed message: a JSON path or a byte offset."},
            "reason": {"type": "string", "description": "Of a malformed message: what is wrong there."},
        },
    ),
}


def refused(*problems: Problem, headers: Schema | None = None) -> Schema:
    """Return what the document says of an answer that is one of `problems`."""
    return {
        "description": " ".join(f"`{problem.name}`: {problem.title} {problem.remedy}" for problem in problems),
        "headers": {"x-request-id": _REQUEST_ID, **(headers or {})},
        "content": {
            MEDIA_TYPE: {
                "schema": {
                    "allOf": [
                        _reference("Problem"),
                        {"properties": {"type": {"enum": [problem.type for problem in problems]}}},
                    ]
                }
            }
        },
    }


def _parameter(name: str, where: str, description: str, **more: Any) -> Schema:
    return {"name": name, "in": where, "description": description, "schema": {"type": "string", **more}}


OPERATION: Schema = {
    "operationId": "post_message",
    "summary": "Send one message",
    "description": "Answered 200 when all in-sync replicas have the bytes, or the endpoint's own disk has them synced: "
    "they reach Kafka from there. Repeats are harmless. Never throttled.",
    "tags": ["messages"],
    "parameters": [
        {**_parameter("source", "path", "The sending account, as configured under `sources`."), "required": True},
        _parameter("x-request-id", "header", "Names the request, where it is short and plain; else a name is made."),
        _parameter("traceparent", "header", "W3C trace context; it travels with the message."),
        _parameter("content-encoding", "header", "How the body is encoded.", enum=["gzip", "identity"]),
    ],
    "requestBody": {"required": True, "content": {"application/json": {"schema": _reference("Message")}}},
    "responses": {
        "200": {
            "description": "Durable.",
            "headers": {"x-request-id": _REQUEST_ID},
            "content": {"application/json": {"schema": {"type": "object", "maxProperties": 0}}},
        },
        "400": refused(MALFORMED_MESSAGE, BAD_ENCODING, BAD_REQUEST),
        "401": refused(
            BAD_SIGNATURE,
            BAD_TOKEN,
            headers={"www-authenticate": {"description": "How to authenticate.", "schema": {"type": "string"}}},
        ),
        "404": refused(UNKNOWN_SOURCE),
        "405": refused(METHOD_NOT_ALLOWED, headers={"allow": {"schema": {"type": "string"}}}),
        "408": refused(REQUEST_TIMEOUT),
        "413": refused(TOO_LARGE),
        "415": refused(
            UNSUPPORTED_MEDIA_TYPE,
            headers={
                "accept": {"description": "The media type to send.", "schema": {"type": "string"}},
                "accept-encoding": {"description": "The encoding to send.", "schema": {"type": "string"}},
            },
        ),
        "431": refused(HEAD_TOO_LARGE),
        "500": refused(INTERNAL_ERROR),
        "503": refused(NO_DURABLE_STORE),
    },
}

# What any route may answer, whatever is asked of it.
EVERYWHERE: dict[str, Schema] = {
    "400": refused(BAD_REQUEST),
    **{status: OPERATION["responses"][status] for status in ("405", "408", "431", "500")},
}

PROBLEM_RESPONSES: dict[int | str, Schema] = {
    200: {
        "description": "What it means, and what to do.",
        "headers": {"x-request-id": _REQUEST_ID},
        "content": {
            "application/json": {
                "schema": _object(
                    "One kind of refusal.",
                    ["type", "title", "status", "remedy"],
                    {
                        "type": {"type": "string", "description": "The stable name, as a path of this server."},
                        "title": {"type": "string"},
                        "status": {"type": "integer"},
                        "remedy": {"type": "string"},
                    },
                )
            }
        },
    },
    404: refused(UNKNOWN_ROUTE),
}


def complete(paths: Schema) -> None:
    """Add to the routes of a framework's document what it does not know of them."""
    for operation in (operation for path in paths.values() for operation in path.values()):
        answers: Schema = operation["responses"]
        # A wrong parameter is answered by the route itself.
        answers.pop("422", None)
        for status, answer in EVERYWHERE.items():
            known = answers.setdefault(status, answer)
            answers[status] = {**known, "content": {**answer["content"], **known["content"]}}
        for answer in answers.values():
            answer["headers"] = {**answer.get("headers", {}), "x-request-id": _REQUEST_ID}
