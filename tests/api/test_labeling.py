"""A labeling page of one's own: what there is, a claim, a draft, a submission, a skip; blind throughout."""

import json
from typing import Any
from uuid import uuid4

import pytest

from labeling.models import Assignment, Judgment, Role, Submission
from tests.api.filled import Api, Filled

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]


@pytest.fixture
def labeler_api(filled: Filled) -> Api:
    return filled.api(Role.LABELER)


def claimed(filled: Filled, api: Api) -> dict[str, Any]:
    status, body = api.post(f"campaigns/{filled.rows['campaign_id']}/claim")
    assert status == 200
    assignment: dict[str, Any] = body["assignment"]
    return assignment


def ranks(*given: int) -> dict[str, Any]:
    return {letter: {"rank": rank} for letter, rank in zip("ABC", given, strict=True)}


def test_a_draft_over_a_newer_one_is_refused_and_the_newer_one_told(filled: Filled, labeler_api: Api) -> None:
    path = f"assignments/{filled.rows['uuid']}"
    token = {"lease_token": labeler_api.get(path)[1]["lease_token"]}
    _, kept = labeler_api.send("PUT", f"{path}/draft", {**token, "fields": {"note": "newer"}, "base": None})
    assert labeler_api.get(path)[1]["draft_saved_at"] == kept["saved_at"]
    status, told = labeler_api.send("PUT", f"{path}/draft", {**token, "fields": {"note": "older"}, "base": None})
    assert (status, told["error"]["code"], told["error"]["draft"]) == (409, "newer_draft", {"note": "newer"})
    base = {"base": kept["saved_at"]}
    assert labeler_api.send("PUT", f"{path}/draft", {**token, "fields": {"note": "mine"}, **base})[0] == 200


def test_a_task_is_claimed_drafted_submitted_and_corrected(filled: Filled, labeler_api: Api) -> None:
    (standing,) = labeler_api.get("work")[1]["items"]
    assert (standing["campaign"], standing["kind"]) == (filled.rows["campaign_id"], "ranking")
    task = claimed(filled, labeler_api)
    assert claimed(filled, labeler_api)["uuid"] == task["uuid"] == standing["held"]
    token = {"lease_token": task["lease_token"]}
    path = f"assignments/{task['uuid']}"
    status, kept = labeler_api.send("PUT", f"{path}/draft", {**token, "fields": {"my-note": "so far"}})
    assert (status, kept["held"]) == (200, True)
    assert labeler_api.get(path)[1]["draft"] == {"my-note": "so far"}
    sent = {**token, "key": str(uuid4()), "responses": ranks(2, 1, 3), "note": "close"}
    assert labeler_api.post(f"{path}/submit", sent)[1] == {"number": 1, "counted": True, "repeated": False}
    assert labeler_api.post(f"{path}/submit", sent)[1] == {"number": 1, "counted": True, "repeated": True}
    order = Assignment.objects.get(uuid=task["uuid"]).order
    said = dict(Judgment.objects.filter(submission__key=sent["key"]).values_list("response_id", "rank"))
    assert [said[pk] for pk in order] == [2, 1, 3]
    again = {**token, "key": str(uuid4()), "corrects": 1, "responses": ranks(1, 1, 2)}
    assert labeler_api.post(f"{path}/submit", again)[1]["number"] == 2


def test_a_skip_gives_the_task_back_and_the_next_claim_is_another(filled: Filled, labeler_api: Api) -> None:
    task = claimed(filled, labeler_api)
    path = f"assignments/{task['uuid']}/skip"
    assert task["skip_reasons"][0]["name"] == "unclear"
    assert labeler_api.post(path, {"lease_token": task["lease_token"], "reason": "no_idea"})[0] == 422
    assert labeler_api.post(path, {"lease_token": task["lease_token"], "reason": "unclear"}) == (204, None)
    assert claimed(filled, labeler_api)["uuid"] != task["uuid"]


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"responses": {"A": {"rank": 1}, "Z": {"rank": 2}}}, 422, "invalid_work"),
        ({"responses": {"A": {"rank": 10}}}, 400, "invalid"),
        ({"responses": {"A": {"rank": "1"}}}, 400, "invalid"),
        ({"responses": {"A": {"rank": 1, "ratings": {"overall": 8}}}}, 400, "invalid"),
        ({"responses": {"A": {"rank": 1, "flags": {"hallucination": "yes"}}}}, 400, "invalid"),
        ({"responses": {"A": {"response_id": 1}}}, 400, "invalid"),
        ({"responses": {}}, 422, "invalid_work"),
        ({"responses": {"A": {"rank": 1}, "B": {"rank": 2}}, "lease_token": str(uuid4())}, 409, "stale_lease"),
        ({"writing": {"style": "plain"}}, 422, "invalid_work"),
        ({"writing": {"password": "x"}}, 422, "invalid_work"),
    ],
)
def test_work_that_has_no_meaning_is_refused_and_nothing_is_written(
    filled: Filled, labeler_api: Api, body: dict[str, Any], status: int, code: str
) -> None:
    task = claimed(filled, labeler_api)
    before = Submission.objects.count()
    sent = {"key": str(uuid4()), "lease_token": task["lease_token"], **body}
    answer = labeler_api.post(f"assignments/{task['uuid']}/submit", sent)
    assert (answer[0], answer[1]["error"]["code"]) == (status, code)
    assert Submission.objects.count() == before


def test_another_s_task_is_not_found_whatever_is_done_to_it(filled: Filled) -> None:
    reviewer = filled.api(Role.REVIEWER)
    path = f"assignments/{filled.rows['uuid']}"
    token = str(Assignment.objects.get(uuid=filled.rows["uuid"]).lease_token)
    assert reviewer.get(path)[0] == 404
    assert reviewer.send("PUT", f"{path}/draft", {"lease_token": token, "fields": {}})[0] == 404
    assert reviewer.post(f"{path}/skip", {"lease_token": token, "reason": "unclear"})[0] == 404
    assert reviewer.post(f"{path}/submit", {"lease_token": token, "key": str(uuid4())})[0] == 404


def test_nothing_of_a_task_tells_which_response_is_whose(filled: Filled, labeler_api: Api) -> None:
    """No number of a prompt, a response or a task, no generator, no order but the one shown."""
    task = claimed(filled, labeler_api)
    assignment = Assignment.objects.select_related("task").get(uuid=task["uuid"])
    assert set(task) == {
        "uuid", "campaign", "kind", "state", "lease_token", "lease_until", "prompt", "responses", "guideline",
        "required", "skip_reasons", "draft", "draft_saved_at", "corrects", "may_submit", "remarks",
    }  # fmt: skip
    assert set(task["prompt"]) == {"messages", "language"}
    assert [set(one) for one in task["responses"]] == [{"letter", "text"}] * 3
    answers = [labeler_api.ask("GET", path) for path in ("work", "assignments", f"assignments/{task['uuid']}")]
    said = "".join(answer.content.decode() + json.dumps(dict(answer.headers)) for answer in answers)
    for secret in ("secret-model-13b", "occurrence", "gold", '"id"', '"order"', '"task"'):
        assert secret not in said
    numbers = {"prompt": assignment.task.prompt_id, "task": assignment.task_id, "assignment": assignment.pk}
    assert not [name for name, pk in numbers.items() if f": {pk}," in said or f": {pk}}}" in said]


def test_a_labeler_s_token_reads_no_data(filled: Filled, labeler_api: Api) -> None:
    for path in ("prompts", "responses", "generators", "submissions", "campaigns", "members", "guidelines"):
        status, body = labeler_api.get(path)
        assert (status, body["error"]["code"]) == (403, "permission_denied")
