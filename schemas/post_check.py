"""Is a body a message at all? The cheap check of ingest's hot path.

A message is a JSON object with an array `Users`; what is in it is read behind the acknowledgement.
"""

import json
from typing import Any

import msgspec

from schemas.post import MalformedPost


class _Message(msgspec.Struct, gc=False):
    # Raw: the syntax inside is checked, no object is built.
    users: list[msgspec.Raw] = msgspec.field(name="Users")


_decode = msgspec.json.Decoder(_Message).decode


def check_post(body: bytes) -> int:
    """Return the number of users of a message, whatever they are.

    Raises:
        MalformedPost: the body is not a JSON object with an array `Users`.
    """
    try:
        return len(_decode(body).users)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        # What strict readers refuse and JSON's grammar allows (half a surrogate pair) is bad input of one user.
        return len(load_message(body)["Users"])


def load_message(body: bytes) -> dict[str, Any]:
    """Parse a message into plain objects, every number as the text that was sent.

    Bytes that are not UTF-8 become lone surrogates: they spoil the string that holds them, not the message.

    Raises:
        MalformedPost: the body is not a JSON object with an array `Users`.
    """
    text = body.decode("utf-8", "surrogateescape")
    try:
        message = json.loads(text, parse_int=_integer, parse_float=str, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        offset = len(text[: error.pos].encode("utf-8", "surrogateescape"))
        raise MalformedPost(f"byte {offset}", f"the body is not JSON: {error.msg}") from None
    except RecursionError:
        raise MalformedPost("$", "the body is nested too deeply") from None
    if not isinstance(message, dict):
        raise MalformedPost("$", "the body is not a JSON object")
    if not isinstance(message.get("Users"), list):
        state = "is not an array" if "Users" in message else "is missing"
        raise MalformedPost("$.Users", f"`Users` {state}")
    return message


def _integer(digits: str) -> str:
    return "0" if digits == "-0" else digits


def _refuse_constant(name: str) -> None:
    raise MalformedPost("$", f"the body is not JSON: {name} is no JSON value")
