import json

import pytest
from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from ingest.authentication.clients import Clients
from ingest.authentication.token_endpoint import TokenEndpoint
from ingest.authentication.tokens import Tokens
from ingest.hot_path import PREFIX
from ingest.problems import PROBLEMS
from ingest.request import RequestIds
from ingest.routes import Dispatcher, NamedAnswers, build_api
from runtime.clock import SystemClock
from tests.support.asgi import JSON, ask_once

REFUSED = {
    "400": {"malformed-message", "bad-encoding", "bad-request"},
    "401": {"bad-signature", "bad-token"},
    "404": {"unknown-source"},
    "405": {"method-not-allowed"},
    "408": {"request-timeout"},
    "413": {"too-large"},
    "415": {"unsupported-media-type"},
    "431": {"head-too-large"},
    "500": {"internal-error"},
    "503": {"no-durable-store"},
}


async def no_content(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body"})


async def failing(scope: Scope, receive: Receive, send: Send) -> None:
    raise RuntimeError("a defect")


def an_api() -> FastAPI:
    return build_api([], TokenEndpoint(Clients([]), Tokens([], SystemClock())))


def application(hot: ASGIApp = no_content) -> ASGIApp:
    ids = RequestIds()
    return Dispatcher(PREFIX, hot, NamedAnswers(an_api(), ids), ids)


def test_the_hot_path_is_reached_without_the_framework() -> None:
    assert ask_once(application(), "POST", "/v1/aam/dev", JSON).status == 204


def test_the_contract_describes_the_hot_route_whole() -> None:
    answer = ask_once(application(), "GET", "/openapi.json")
    assert answer.status == 200
    assert answer.headers["x-request-id"]
    contract = answer.json()
    operation = contract["paths"]["/v1/aam/{source}"]["post"]
    assert operation["requestBody"]["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/Message"}
    assert set(operation["responses"]) == {"200", *REFUSED}
    for status, names in REFUSED.items():
        response = operation["responses"][status]
        [media_type] = response["content"]
        assert media_type == "application/problem+json"
        stated = response["content"][media_type]["schema"]["allOf"][1]["properties"]["type"]["enum"]
        assert stated == [f"/problems/{name}" for name in stated_names(stated)]
        assert set(stated_names(stated)) == names
        assert "x-request-id" in response["headers"]
    assert "allow" in operation["responses"]["405"]["headers"]


def stated_names(types: list[str]) -> list[str]:
    return [name.rpartition("/")[2] for name in types]


def test_every_reference_of_the_contract_leads_somewhere() -> None:
    contract = ask_once(application(), "GET", "/openapi.json").json()
    text = json.dumps(contract)
    for part in text.split('"#/')[1:]:
        node = contract
        for step in part.partition('"')[0].split("/"):
            node = node[step]


def test_the_documentation_is_served() -> None:
    assert ask_once(application(), "GET", "/docs").status == 200


@pytest.mark.parametrize("name", sorted(PROBLEMS))
def test_the_type_of_a_problem_is_a_path_that_explains_it(name: str) -> None:
    answer = ask_once(application(), "GET", PROBLEMS[name].type)
    assert answer.status == 200
    assert answer.json()["remedy"] == PROBLEMS[name].remedy


@pytest.mark.parametrize("path", ["/", "/v1/aam", "/v2/aam/dev", "/problems/nothing", "/metrics"])
def test_an_unknown_path_is_a_problem(path: str) -> None:
    answer = ask_once(application(), "GET", path, [("x-request-id", "r-7")])
    assert answer.status == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["x-request-id"] == "r-7"
    document = answer.json()
    assert document["type"] == "/problems/unknown-route"
    assert document["request_id"] == "r-7"


def test_a_wrong_method_on_another_route_is_a_problem_with_the_allowed_ones() -> None:
    answer = ask_once(application(), "DELETE", "/openapi.json")
    assert answer.status == 405
    assert "GET" in answer.headers["allow"]
    assert answer.json()["type"] == "/problems/method-not-allowed"


def test_a_defect_is_answered_with_a_problem_that_tells_nothing_of_it() -> None:
    answer = ask_once(application(failing), "POST", "/v1/aam/dev", [*JSON, ("x-request-id", "r-9")])
    assert answer.status == 500
    assert answer.json()["type"] == "/problems/internal-error"
    assert answer.json()["request_id"] == "r-9"
    assert b"a defect" not in answer.body


def test_a_defect_behind_the_framework_is_a_problem_too() -> None:
    api = an_api()
    api.add_api_route("/broken", lambda: 1 // 0)
    answer = ask_once(NamedAnswers(api, RequestIds()), "GET", "/broken")
    assert answer.status == 500
    assert answer.json()["type"] == "/problems/internal-error"


def test_an_invalid_request_behind_the_framework_is_a_problem_too() -> None:
    api = an_api()

    def number(n: int) -> int:
        return n

    api.add_api_route("/numbers", number)
    answer = ask_once(NamedAnswers(api, RequestIds()), "GET", "/numbers")
    assert answer.status == 422
    assert answer.json()["type"] == "/problems/invalid-request"
