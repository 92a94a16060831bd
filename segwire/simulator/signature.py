"""Signs bodies as the sender does. Source: wire format, *Authenticity*. Written apart from the receiver's check."""

import base64
import hmac
from collections.abc import Mapping

from runtime.authentication_settings import HmacAlgorithm
from segwire.simulator.sender import Authenticate


def signing(secret: bytes, algorithm: HmacAlgorithm, header: str) -> Authenticate:
    """Return what puts the signature of a body into `header`."""

    def authenticate(body: bytes) -> Mapping[str, str]:
        return {header: base64.b64encode(hmac.new(secret, body, algorithm).digest()).decode("ascii")}

    return authenticate
