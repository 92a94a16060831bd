import json

import pytest

from ingest.problems import BAD_ENCODING, MALFORMED_MESSAGE, PROBLEMS, TYPE_PREFIX, Problem, document, response

CONTRACT = {
    "malformed-message": 400,
    "bad-encoding": 400,
    "unknown-source": 404,
    "too-large": 413,
    "unsupported-media-type": 415,
    "no-durable-store": 503,
}


@pytest.mark.parametrize(("name", "status"), CONTRACT.items())
def test_names_and_statuses_are_those_of_the_contract(name: str, status: int) -> None:
    assert PROBLEMS[name].status == status


@pytest.mark.parametrize("problem", PROBLEMS.values(), ids=lambda problem: problem.name)
def test_a_type_ends_in_the_name_and_says_what_to_do(problem: Problem) -> None:
    assert problem.type == TYPE_PREFIX + problem.name
    assert problem.type.endswith(problem.name)
    assert problem.title.endswith(".")
    assert problem.remedy.endswith(".")


def test_sender_is_never_throttled() -> None:
    assert all(problem.status != 429 for problem in PROBLEMS.values())


def test_a_document_has_the_members_of_the_standard_and_the_request_id() -> None:
    assert json.loads(document(MALFORMED_MESSAGE, "no Users", "r-1", {"where": "$", "reason": "é"})) == {
        "type": "/problems/malformed-message",
        "title": MALFORMED_MESSAGE.title,
        "status": 400,
        "detail": "no Users",
        "request_id": "r-1",
        "where": "$",
        "reason": "é",
    }


def test_a_response_says_its_media_type_and_its_length() -> None:
    headers, body = response(BAD_ENCODING, "torn", "r-2")
    assert dict(headers) == {
        b"content-type": b"application/problem+json",
        b"content-length": str(len(body)).encode(),
        b"x-request-id": b"r-2",
    }
