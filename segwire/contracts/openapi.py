"""The endpoint's OpenAPI document as a file: `python -m segwire.contracts.openapi > docs/openapi.json`.

A test fails when that file is stale. A running endpoint serves its own under `/openapi.json`, which names the
authentication that its sources are configured with; here every way is shown once.
"""

import json
import sys

from ingest.authentication.clients import Clients
from ingest.authentication.token_endpoint import TokenEndpoint
from ingest.authentication.tokens import Tokens
from ingest.routes import build_api
from runtime.authentication_settings import HmacSettings, OAuth2Settings
from runtime.clock import SystemClock
from runtime.settings import SourceSettings


def openapi_text() -> str:
    """Return the text of `docs/openapi.json`."""
    signed = HmacSettings.model_validate({"header": "X-Signature", "keys": [{"secret": "shown-nowhere"}]})
    client = OAuth2Settings.model_validate({"clients": [{"id": "sender", "secret": "shown-nowhere"}]})
    sources = [SourceSettings(hmac=signed), SourceSettings(oauth2=client)]
    api = build_api(sources, TokenEndpoint(Clients([]), Tokens([], SystemClock())))
    return json.dumps(api.openapi(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.stdout.write(openapi_text())
