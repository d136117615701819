"""What an attacker sends: odd parameters, bodies, letters. One error shape, the right status, nothing half-written."""

import gzip
import re
from typing import Any

import pytest

from labeling.models import Cohort, Prompt
from tests.api.filled import Api

pytestmark = [pytest.mark.threat(15), pytest.mark.django_db, pytest.mark.sqlite]


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        ("prompts?order=id", "'order' is not known here"),
        ("prompts?submission__assignment__labeler__user__password__startswith=p", "is not known here"),
        ("prompts?project__slug=elsewhere", "is not known here"),
        ("prompts?split__in=train", "is not known here"),
        ("members?user__password__startswith=pbkdf2", "is not known here"),
        ("submissions?task=1&task=2", "is given 2 times"),
        ("prompts?split=dev", "split is 'dev'"),
        ("prompts?cursor=x", "cursor is 'x'"),
        ("prompts?cursor=-1", "cursor is '-1'"),
        ("prompts?cursor=%D9%A3", "cursor is"),
        ("prompts?cursor=" + "9" * 40, "cursor is"),
        ("prompts?limit=0", "limit is '0'"),
        ("prompts?limit=501", "limit is '501'"),
        ("prompts?limit=1e2", "limit is '1e2'"),
        ("prompts?group_key=%00", "holds a NUL character"),
        ("prompts?language=" + "x" * 21, "language is"),
        ("responses?demonstrations=1", "Expected true or false"),
    ],
)
def test_a_parameter_that_is_not_on_the_list_is_refused(owner_api: Api, path: str, sentence: str) -> None:
    status, body = owner_api.get(path)
    assert (status, body["error"]["code"]) == (400, "invalid_query")
    assert sentence in body["error"]["message"]


@pytest.mark.parametrize("path", ["prompts/0", "prompts/99999999999999999999999", "assignments/x", "campaigns/-1"])
def test_an_odd_id_is_not_found(owner_api: Api, path: str) -> None:
    status, body = owner_api.get(path)
    assert (status, body["error"]["code"]) == (404, "not_found")


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b"", "required"),
        (b"{", "this is not JSON"),
        (b"null", "No data provided"),
        (b"[]", "Invalid data"),
        (b'{"name": "x", "name": "y"}', "stands twice"),
        (b'{"name": NaN}', "NaN is not a JSON value"),
        (b'{"name": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "nested deeper"),
        (b'{"name": {"a": ' * 15 + b"1" + b"}}" * 15 + b"}", "nested deeper|not JSON"),
        (b'{"name": 7}', "Expected text in quotes"),
        (b'{"name": null}', "null"),
        (b'{"name": "a\\u0000b"}', "holds a NUL character"),
        (b'{"name": "\\ud800"}', "half of a character pair"),
        (b'{"name": "x", "project": 2}', "The member 'project' is not known here"),
        (b'{"name": "' + b"x" * 61 + b'"}', "no more than 60"),
        ('{"name": "ü"}'.encode("latin-1"), "is not UTF-8"),
        ('{"name": "x"}'.encode("utf-16"), "is not UTF-8"),
        (b"1" * 5000, "this is not JSON|Exceeds|Invalid data"),
    ],
)
def test_a_body_that_is_not_what_the_schema_says_is_refused(owner_api: Api, body: bytes, sentence: str) -> None:
    status, answer = owner_api.post("cohorts", body)
    assert status == 400
    assert re.search(sentence, answer["error"]["message"])
    assert Cohort.objects.count() == 1


@pytest.mark.parametrize(
    ("kind", "headers"),
    [
        ("text/plain", {}),
        ("application/x-www-form-urlencoded", {}),
        ("multipart/form-data; boundary=x", {}),
        ("application/json; charset=utf-16", {}),
        ("application/json", {"Content-Encoding": "gzip"}),
        ("", {}),
    ],
)
def test_a_body_of_another_kind_is_refused(owner_api: Api, kind: str, headers: dict[str, str]) -> None:
    said = {"Authorization": f"Token {owner_api.token}", **headers}
    answer = owner_api.client.generic(
        "POST", "/api/v1/projects/helpdesk/cohorts", gzip.compress(b'{"name": "x"}'), content_type=kind, headers=said
    )
    assert answer.status_code == 415
    assert answer.json()["error"]["code"] == "unsupported_media_type"


def test_a_body_of_50_mb_is_refused_before_it_is_read(owner_api: Api) -> None:
    status, body = owner_api.post("cohorts", b'{"name": "' + b"x" * (3 << 20) + b'"}')
    assert (status, body["error"]["code"]) == (413, "too_large")
    said = {"Authorization": f"Token {owner_api.token}"}
    huge = owner_api.client.generic(
        "POST", "/api/v1/projects/helpdesk/prompts", b"{}", "application/json", headers=said, CONTENT_LENGTH=str(10**9)
    )
    assert huge.status_code == 413


def test_a_method_that_is_not_there_names_those_that_are(owner_api: Api) -> None:
    answer = owner_api.ask("DELETE", "prompts")
    assert (answer.status_code, answer.json()["error"]["code"]) == (405, "method_not_allowed")
    assert {part.strip() for part in answer["Allow"].split(",")} == {"GET", "POST", "HEAD", "OPTIONS"}


def line(number: int, **more: Any) -> dict[str, Any]:
    return {"id": f"p{number}", "messages": [{"role": "user", "content": f"What is {number} times three?"}], **more}


def test_each_line_of_a_bulk_is_answered_and_none_is_half_written(owner_api: Api) -> None:
    before = Prompt.objects.count()
    lines: list[Any] = [
        line(1),
        line(1),
        {**line(2), "id": "p1"},
        line(3, split="dev"),
        line(4, password="x"),
        {"messages": []},
        line(5, messages=[{"role": "user", "content": "a\u0000b"}]),
        line(6, origin="customer"),
        line(7, origin="customer", consent="for research"),
    ]
    status, answer = owner_api.post("prompts", {"prompts": lines})
    assert status == 200
    outcomes = [one["outcome"] for one in answer["lines"]]
    assert outcomes == ["created", "merged", *["refused"] * 6, "created"]
    assert answer["lines"][0]["id"] == answer["lines"][1]["id"]
    assert "id of another text" in answer["lines"][2]["message"]
    assert "consent is missing" in answer["lines"][7]["message"]
    assert Prompt.objects.count() == before + 2


def test_a_bulk_that_is_all_or_nothing_writes_nothing_where_one_line_is_bad(owner_api: Api) -> None:
    before = Prompt.objects.count()
    status, answer = owner_api.post("prompts", {"prompts": [line(1), {"messages": 3}], "whole": True})
    assert (status, answer["written"]) == (200, False)
    assert [one["outcome"] for one in answer["lines"]] == ["created", "refused"]
    assert answer["lines"][0]["id"] is None
    assert Prompt.objects.count() == before


def test_a_bulk_of_more_lines_than_are_taken_is_refused(owner_api: Api) -> None:
    status, body = owner_api.post("prompts", {"prompts": [{}] * 10_001})
    assert (status, body["error"]["code"]) == (400, "invalid")
    assert "10000" in body["error"]["message"].replace(",", "")
