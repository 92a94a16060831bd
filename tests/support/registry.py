"""A schema registry that answers as one does, without a network: what is registered, and what it refuses."""

import json
from collections.abc import Callable
from urllib.parse import unquote

import httpx2

from runtime.registry.client import RegistryClient
from runtime.registry_settings import SchemaRegistrySettings
from segwire.embedded.kafka.download import fetch_by_jgo
from segwire.embedded.kafka.progress import NoProgress
from segwire.embedded.registry.application import RegistryApplication, registry_cache_dir

URL = "http://registry.test/apis/ccompat/v7"
_OK, _MISSING, _CONFLICT = 200, 404, 409


def fetch_registry() -> None:
    """See that the real one is in the cache, so that a start need not wait for a download."""
    RegistryApplication(registry_cache_dir(), fetch_by_jgo, NoProgress()).ensure()


class FakeRegistry:
    """Keeps schemas by subject; `breaks` says which it refuses, `away` that nobody answers."""

    def __init__(self) -> None:
        self.schemas: dict[str, list[int]] = {}
        self.rules: dict[str, str] = {}
        self.texts: list[str] = []
        self.breaks: Callable[[str], bool] = lambda _: False
        self.away = False
        self.changes: list[str] = []
        self.asked: list[httpx2.Request] = []

    def connect(self, settings: SchemaRegistrySettings | None = None) -> RegistryClient:
        return RegistryClient(settings or SchemaRegistrySettings(url=URL), httpx2.MockTransport(self._answer))

    def put(self, subject: str, schema: str) -> int:
        """Register without asking any rule."""
        if schema not in self.texts:
            self.texts.append(schema)
        schema_id = 100 + self.texts.index(schema)
        self.schemas.setdefault(subject, []).append(schema_id)
        return schema_id

    def _answer(self, request: httpx2.Request) -> httpx2.Response:
        self.asked.append(request)
        if self.away:
            raise httpx2.ConnectError("connection refused")
        path = request.url.raw_path.decode().removeprefix("/apis/ccompat/v7/")
        body = json.loads(request.content) if request.content else {}
        status, document = self._done(request.method, [unquote(part) for part in path.split("/")], body)
        return httpx2.Response(status, json=document)

    def _done(self, method: str, path: list[str], body: dict[str, str]) -> tuple[int, object]:
        match method, path:
            case "POST", ["compatibility", "subjects", subject, "versions"]:
                if subject not in self.schemas:
                    return _MISSING, {"error_code": 40401, "message": "no such subject"}
                return _OK, {"is_compatible": not self._refuses(subject, body["schema"])}
            case "GET", ["subjects", subject, "versions"] if subject in self.schemas:
                return _OK, [number + 1 for number in range(len(self.schemas[subject]))]
            case "POST", ["subjects", subject, "versions"]:
                if self._refuses(subject, body["schema"]):
                    return _CONFLICT, {"error_code": 409, "message": "must at /fields/12"}
                self.changes.append(f"register {subject}")
                return _OK, {"id": self.put(subject, body["schema"])}
            case "POST", ["subjects", subject]:
                schema_id = self._id_of(body["schema"])
                if schema_id in self.schemas.get(subject, []):
                    return _OK, {"id": schema_id}
                return _MISSING, {"error_code": 40403, "message": "no such schema"}
            case "PUT", ["config", subject]:
                self.changes.append(f"guard {subject}")
                self.rules[subject] = body["compatibility"]
                return _OK, body
        return self._told(path)

    def _told(self, path: list[str]) -> tuple[int, object]:
        match path:
            case ["config", subject] if subject in self.rules:
                return _OK, {"compatibilityLevel": self.rules[subject]}
            case ["schemas", "ids", number] if 100 <= int(number) < 100 + len(self.texts):
                return _OK, {"schema": self.texts[int(number) - 100]}
        return _MISSING, {"error_code": 40401, "message": "nothing of that name"}

    def _refuses(self, subject: str, schema: str) -> bool:
        return self.rules.get(subject) == "FULL_TRANSITIVE" and self.breaks(schema)

    def _id_of(self, schema: str) -> int:
        return 100 + self.texts.index(schema) if schema in self.texts else -1
