"""GET /api/v1/projects/SLUG/records/rankings and the like."""

import json
import logging
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.test import Client
from django.utils import timezone

from labeling.api.urls import RECORDS
from labeling.datasets import Selection, lines_of
from labeling.exporting import reading
from labeling.importing import import_file
from labeling.models import Membership, Project, ProjectToken, Prompt, Role, User
from labeling.records import Kind, read_record
from tests.conftest import make_member
from tests.labeling_data import samples
from tests.labeling_data.samples import prompt, ranking, write

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]


def client_of(user: User, project: Project) -> Client:
    return Client(headers={"Authorization": f"Token {ProjectToken.make(user=user, project=project)}"})


@pytest.fixture
def filled(project: Project, tmp_path: Path) -> Project:
    lines = [
        samples.prompt_record(),
        samples.demonstration(),
        samples.candidates(),
        ranking("r1", ranks=[1, 1, 2]),
        ranking("r2", prompt=prompt("Ünïcode\u2028?")),
        samples.rating(),
    ]
    assert not import_file(project, write(tmp_path / "f", *lines), name="trial").refused
    return project


@pytest.fixture
def engineer(filled: Project) -> Client:
    return client_of(make_member(filled, "enno", Role.ENGINEER), filled)


def get(client: Client, address: str, **headers: str) -> tuple[int, Any]:
    """Status and the parsed body: a list of records, or the error."""
    answer = client.get(address, headers=headers)
    if answer.status_code == 200:
        return 200, [json.loads(line) for line in answer.getvalue().split(b"\n") if line]
    assert answer["Content-Type"] == "application/json"
    return answer.status_code, answer.json()["error"]


@pytest.mark.parametrize(("name", "kind"), RECORDS.items())
def test_a_project_s_records_come_as_json_lines(filled: Project, engineer: Client, name: str, kind: Kind) -> None:
    answer = engineer.get(f"/api/v1/projects/helpdesk/records/{name}")
    assert answer.status_code == 200
    assert answer["Content-Type"] == "application/x-ndjson"
    assert answer.streaming
    body = answer.getvalue()
    assert body
    assert body == b"".join(lines_of(filled, kind))
    assert all(read_record(json.loads(line)).kind is kind for line in body.split(b"\n")[:-1])


def test_a_stream_says_what_is_left_of_the_rate_and_where_its_datasheet_is(engineer: Client) -> None:
    address = "/api/v1/projects/helpdesk/records/rankings?split=train"
    Prompt.objects.update(split="train")
    answer = engineer.get(address)
    assert int(answer["RateLimit-Remaining"]) < int(answer["RateLimit-Limit"])
    records = answer.getvalue().count(b"\n")
    leads, rel = answer["Link"].split("; ")
    assert rel == 'rel="describedby"'
    sheet = engineer.get(leads.strip("<>")).json()
    assert (sheet["records"], sheet["rows"], sheet["chosen"]) == ("ranking", records, {"split": "train"})
    assert sheet["prompts_by_split"] == {"train": 2}


def test_a_client_may_say_what_it_expects(engineer: Client) -> None:
    address = "/api/v1/projects/helpdesk/records/rankings"
    for accept in ("application/x-ndjson", "application/json", "*/*"):
        assert get(engineer, address, accept=accept)[0] == 200


def test_parameters_choose(filled: Project, engineer: Client) -> None:
    Prompt.objects.update(split="train")
    address = "/api/v1/projects/helpdesk/records"
    assert len(get(engineer, f"{address}/comparisons")[1]) == 6
    assert [one["tie"] for one in get(engineer, f"{address}/comparisons?ties=drop")[1]] == [False] * 5
    assert len(get(engineer, f"{address}/rankings?split=train")[1]) == 2
    assert get(engineer, f"{address}/rankings?split=test")[1] == []
    assert len(get(engineer, f"{address}/rankings?split=&campaign=")[1]) == 2
    assert len(get(engineer, f"{address}/rankings?campaign=imported+rankings:+trial&simulated=true")[1]) == 2


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("order=id", "The parameter 'order' is not known here; known are: format, layout, split, campaign,"),
        ("ties=drop", "The parameter 'ties' is not known here"),
        ("project__name=x", "The parameter 'project__name' is not known here"),
        ("split=dev", "split is 'dev': 'dev' is none of train, valid, test."),
        ("split=train&split=test", "The parameter 'split' is given 2 times"),
        ("simulated=1", "simulated is '1': '1' is none of true, false."),
        ("campaign=none", "there is no campaign of this name"),
        ("campaign=%00", "The text holds a NUL"),
    ],
)
def test_it_refuses_a_parameter_it_does_not_know(engineer: Client, query: str, sentence: str) -> None:
    status, error = get(engineer, f"/api/v1/projects/helpdesk/records/rankings?{query}")
    assert (status, error["code"]) == (400, "invalid_query")
    assert sentence in error["message"]


@pytest.mark.parametrize(
    "authorization", [None, "Token", "Token nonsense", "Token a b", "Token \xff\xfe", "Token a'; --", "Basic YTpi"]
)
def test_without_a_token_that_is_known_it_answers_401(filled: Project, authorization: str | None) -> None:
    client = Client(headers={"Authorization": authorization} if authorization else {})
    answer = client.get("/api/v1/projects/helpdesk/records/rankings")
    assert (answer.status_code, answer["WWW-Authenticate"]) == (401, "Token")
    assert answer.json()["error"]["code"] in {"not_authenticated", "authentication_failed"}


def test_a_session_is_no_token(filled: Project, owner: User) -> None:
    client = Client()
    client.force_login(owner)
    assert get(client, "/api/v1/projects/helpdesk/records/rankings")[0] == 401


def test_a_stranger_s_project_is_as_if_it_were_not_there(filled: Project, stranger: User) -> None:
    client = client_of(stranger, Project.objects.get(slug="elsewhere"))
    assert get(client, "/api/v1/projects/elsewhere/records/rankings") == (200, [])
    assert get(client, "/api/v1/projects/helpdesk/records/rankings") == get(
        client, "/api/v1/projects/none/records/rankings"
    )
    assert get(client, "/api/v1/projects/helpdesk/records/rankings")[0] == 404


def test_a_token_opens_its_own_project_only(filled: Project, stranger: User) -> None:
    """Even where its user is a member of another."""
    elsewhere = Project.objects.get(slug="elsewhere")
    Membership.objects.create(user=stranger, project=filled, role=Role.OWNER)
    assert get(client_of(stranger, elsewhere), "/api/v1/projects/helpdesk/records/rankings")[0] == 404
    assert get(client_of(stranger, filled), "/api/v1/projects/helpdesk/records/rankings")[0] == 200


@pytest.mark.parametrize("role", [Role.LABELER, Role.REVIEWER, Role.CUSTOMER])
def test_a_member_whose_role_reads_no_data_is_told_so(filled: Project, role: Role) -> None:
    status, error = get(
        client_of(make_member(filled, "rolf", role), filled), "/api/v1/projects/helpdesk/records/rankings"
    )
    assert (status, error["code"]) == (403, "permission_denied")
    assert f"Your role here is {role}" in error["message"]


def test_whoever_leaves_the_project_takes_nothing_along(filled: Project, owner: User) -> None:
    client = client_of(owner, filled)
    Membership.objects.filter(user=owner).delete()
    assert get(client, "/api/v1/projects/helpdesk/records/rankings")[0] == 404


@pytest.mark.parametrize(
    "address",
    [
        "/api/",
        "/api/v1/nothing",
        "/api/v1/projects/helpdesk/records/secrets",
        "/api/v1/projects/helpdesk/records/rankings/",
        "/api/v1/projects/he%00lp/records/rankings",
        "/api/v1/projects/../records/rankings",
        "/api/v2/projects/helpdesk/records/rankings",
    ],
)
def test_an_address_that_is_not_there_answers_in_json(engineer: Client, address: str) -> None:
    status, error = get(engineer, address)
    assert (status, error["code"]) == (404, "not_found")


def test_it_takes_no_other_method(engineer: Client) -> None:
    for method in (engineer.post, engineer.put, engineer.patch, engineer.delete):
        answer = method("/api/v1/projects/helpdesk/records/rankings", data="{}", content_type="application/json")
        assert (answer.status_code, answer.json()["error"]["code"]) == (405, "method_not_allowed")


def test_what_nobody_foresaw_answers_with_a_number_and_the_log_has_the_rest(
    engineer: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*args: object) -> Any:
        raise RuntimeError("the secret of the database")

    monkeypatch.setattr(reading, "records_of", fail)
    with caplog.at_level(logging.ERROR):
        status, error = get(engineer, "/api/v1/projects/helpdesk/records/rankings")
    assert (status, error["code"]) == (500, "internal_error")
    assert "secret" not in json.dumps(error)
    assert error["id"] in caplog.text
    assert "the secret of the database" in caplog.text


def test_make_token_prints_a_token_that_works_and_keeps_only_its_digest(
    filled: Project, owner: User, capsys: pytest.CaptureFixture[str]
) -> None:
    call_command("make_token", "olga", "helpdesk")
    token = capsys.readouterr().out.strip()
    client = Client(headers={"Authorization": f"Token {token}"})
    assert get(client, "/api/v1/projects/helpdesk/records/rankings")[0] == 200
    assert token not in repr(ProjectToken.objects.values_list())


def days_left(token: ProjectToken) -> timedelta:
    assert token.expiry is not None
    return token.expiry - timezone.now()


def test_a_token_ends_and_is_then_refused_like_any_other(
    filled: Project, owner: User, capsys: pytest.CaptureFixture[str]
) -> None:
    call_command("make_token", "olga", "helpdesk", "--days", "7")
    client = Client(headers={"Authorization": f"Token {capsys.readouterr().out.strip()}"})
    assert timedelta(days=6) < days_left(ProjectToken.objects.get()) <= timedelta(days=7)
    ProjectToken.objects.update(expiry=timezone.now() - timedelta(seconds=1))
    status, error = get(client, "/api/v1/projects/helpdesk/records/rankings")
    assert (status, error["code"]) == (401, "authentication_failed")
    ProjectToken.make(user=owner, project=filled)
    newest = ProjectToken.objects.latest("created")
    assert timedelta(days=89) < days_left(newest) <= timedelta(days=90)
    with pytest.raises(CommandError, match="--days is 0; expected 1 to 3,650"):
        call_command("make_token", "olga", "helpdesk", "--days", "0")


def test_make_token_refuses_who_could_not_use_it(filled: Project, labeler: User, stranger: User) -> None:
    for user, project, sentence in [
        ("nobody", "helpdesk", "no active user"),
        ("stefan", "helpdesk", "not a member"),
        ("lars", "nowhere", "not a member"),
        ("lars", "helpdesk", "is labeler there"),
    ]:
        with pytest.raises(CommandError, match=sentence):
            call_command("make_token", user, project)
    assert not ProjectToken.objects.exists()


def test_simulated_judgments_are_left_out_unless_asked_for(project: Project, owner: User, tmp_path: Path) -> None:
    judged = [{"labeler": "s1", "simulated": True, "ranks": [1, 2, 3]}]
    import_file(project, write(tmp_path / "f", ranking(judged=judged)), name="trial")
    client = client_of(owner, project)
    assert get(client, "/api/v1/projects/helpdesk/records/rankings") == (200, [])
    (record,) = get(client, "/api/v1/projects/helpdesk/records/rankings?simulated=true")[1]
    assert record["judged"][0]["simulated"] is True
    assert list(lines_of(project, Kind.RANKING, Selection())) == []
