"""The committed OpenAPI document of the endpoint."""

import json
from pathlib import Path

from segwire.contracts.openapi import openapi_text

ROOT = Path(__file__).parents[4]
COMMITTED = ROOT / "docs" / "openapi.json"


def test_committed_document_is_not_stale() -> None:
    remedy = "python -m segwire.contracts.openapi > docs/openapi.json"
    assert COMMITTED.read_text(encoding="utf-8") == openapi_text(), remedy


def test_document_shows_every_way_of_authentication() -> None:
    document = json.loads(openapi_text())
    assert {scheme["type"] for scheme in document["components"]["securitySchemes"].values()} == {
        "http",
        "oauth2",
        "apiKey",
    }
    assert len(document["paths"]["/v1/aam/{source}"]["post"]["security"]) == 2


def test_document_holds_no_secret() -> None:
    assert "shown-nowhere" not in openapi_text()
