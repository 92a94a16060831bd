"""What the OpenAPI document says of `POST /v1/aam/{source}`, which is served beside FastAPI.

Source: interfaces, *HTTP, ingest*; wire format, *Message*.
"""

from typing import Any

from ingest.problems import (
    BAD_ENCODING,
    BAD_SIGNATURE,
    BAD_TOKEN,
    INTERNAL_ERROR,
    MALFORMED_MESSAGE,
    MEDIA_TYPE,
    METHOD_NOT_ALLOWED,
    NO_DURABLE_STORE,
    TOO_LARGE,
    UNKNOWN_SOURCE,
    UNSUPPORTED_MEDIA_TYPE,
    Problem,
)

Schema = dict[str, Any]

PATH = "/v1/aam/{source}"

_REQUEST_ID = {"description": "Names the request, in the answer and in the logs.", "schema": {"type": "string"}}


def _scalar(description: str) -> Schema:
    return {"type": ["string", "number"], "description": description}


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


def _refused(*problems: Problem, headers: Schema | None = None) -> Schema:
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
    "description": "Answered 200 when all in-sync replicas have the bytes. Repeats are harmless. Never throttled.",
    "tags": ["messages"],
    "parameters": [
        {**_parameter("source", "path", "The sending account, as configured under `sources`."), "required": True},
        _parameter("x-request-id", "header", "Names the request; else a name is made.", maxLength=128),
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
        "400": _refused(MALFORMED_MESSAGE, BAD_ENCODING),
        "401": _refused(
            BAD_SIGNATURE,
            BAD_TOKEN,
            headers={"www-authenticate": {"description": "How to authenticate.", "schema": {"type": "string"}}},
        ),
        "404": _refused(UNKNOWN_SOURCE),
        "405": _refused(METHOD_NOT_ALLOWED, headers={"allow": {"schema": {"type": "string"}}}),
        "413": _refused(TOO_LARGE),
        "415": _refused(
            UNSUPPORTED_MEDIA_TYPE,
            headers={
                "accept": {"description": "The media type to send.", "schema": {"type": "string"}},
                "accept-encoding": {"description": "The encoding to send.", "schema": {"type": "string"}},
            },
        ),
        "500": _refused(INTERNAL_ERROR),
        "503": _refused(NO_DURABLE_STORE),
    },
}
