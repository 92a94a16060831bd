import json

from segwire.simulator.compare import compare
from segwire.simulator.model import Model
from segwire.simulator.plan import client_id_of_run
from segwire.simulator.published import Published
from segwire.simulator.report import Verified, build_report, report_lines
from segwire.simulator.tally import Tally
from tests.support.simulation import CLIENT, START_MS, USER, message, plan, statement

URL = "http://127.0.0.1:8080/v1/aam/dev"


def counted() -> Tally:
    tally = Tally()
    tally.sent, tally.acknowledged, tally.failed, tally.retried = 10, 9, 1, 2
    tally.answers.update({"200": 9, "503": 3})
    tally.elapsed_s = 3.0
    tally.answered_ms.add(5.0)
    tally.from_plan_ms.add(6.0)
    return tally


def model() -> Model:
    model = Model()
    model.acknowledged(message(4, statement(10)))
    return model


def lost_one() -> Verified:
    return Verified(Published(), compare(model(), Published()), 2.5)


def test_report_has_what_scripts_read() -> None:
    report = json.loads(json.dumps(build_report(plan(), URL, counted(), model(), lost_one())))
    assert (report["sent"], report["acknowledged"], report["failed"], report["retried"]) == (10, 9, 1, 2)
    assert report["answers"] == {"200": 9, "503": 3}
    assert report["acknowledged_per_s"] == 3.0
    assert set(report["latency_ms"]) == set(report["latency_from_plan_ms"]) == {"p50", "p90", "p99", "p99.9", "max"}
    assert (report["seed"], report["users"], report["client_id"]) == (7, 300, CLIENT)
    assert report["parameters"]["start_ms"] == START_MS
    assert report["memberships_expected"] == 1


def test_report_counts_each_sort_of_difference_with_examples() -> None:
    differences = build_report(plan(), URL, counted(), model(), lost_one())["differences"]
    assert {sort: found["count"] for sort, found in differences.items()} == {
        "lost": 1,
        "wrong": 0,
        "phantom": 0,
        "duplicates": 0,
        "gaps": 0,
    }
    assert differences["lost"]["examples"][0]["aam_uuid"] == USER
    assert differences["lost"]["examples"][0]["message"] == 4


def test_without_verification_differences_are_unknown_not_zero() -> None:
    report = build_report(plan(), URL, counted(), model(), None)
    assert report["differences"] is None
    assert not any("verified" in line for line in report_lines(report))


def test_lines_for_a_person_name_counts_and_examples() -> None:
    text = "\n".join(report_lines(build_report(plan(), URL, counted(), model(), lost_one())))
    assert "1 lost, 0 wrong, 0 phantom, 0 duplicates, 0 gaps" in text
    assert f"lost: user {USER}" in text
    assert "(message 4)" in text
    assert "200: 9, 503: 3" in text


def test_runs_have_different_client_ids_that_are_numbers() -> None:
    ids = {client_id_of_run(seed, START_MS + later) for seed in (1, 7, 1007) for later in (0, 1)}
    assert len(ids) == 4
    assert all(client_id.isdecimal() and client_id[0] != "0" for client_id in ids)
