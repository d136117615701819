"""Idempotency keys, ETags, pages."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection

from labeling.models import AnsweredRequest, Campaign, Cohort, Project, Prompt, Role
from tests.api.filled import Api, Filled, fill
from tests.labeling.work import make_labeler, make_prompt, must_claim, ranked, submit_now

pytestmark = pytest.mark.django_db


@pytest.mark.sqlite
def test_a_repeat_with_the_same_key_gets_the_first_answer(owner_api: Api) -> None:
    first = owner_api.ask("POST", "cohorts", {"name": "New"}, Idempotency_Key="k1")
    again = owner_api.ask("POST", "cohorts", {"name": "New"}, Idempotency_Key="k1")
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    assert again["Idempotency-Replayed"] == "true"
    assert Cohort.objects.filter(name="New").count() == 1


@pytest.mark.sqlite
def test_the_same_key_with_another_request_is_refused(owner_api: Api) -> None:
    owner_api.post("cohorts", {"name": "New"}, Idempotency_Key="k1")
    for path, body in (("cohorts", {"name": "Other"}), ("guidelines", {"kind": "prompt"})):
        status, answer = owner_api.post(path, body, Idempotency_Key="k1")
        assert (status, answer["error"]["code"]) == (409, "idempotency_key_reused")
    assert not Cohort.objects.filter(name="Other").exists()


@pytest.mark.sqlite
def test_what_was_refused_may_be_tried_again_with_its_key(owner_api: Api) -> None:
    assert owner_api.post("cohorts", {"name": "Experts"}, Idempotency_Key="k1")[0] == 422
    Cohort.objects.all().delete()
    assert owner_api.post("cohorts", {"name": "Experts"}, Idempotency_Key="k1")[0] == 201


@pytest.mark.sqlite
def test_a_key_is_its_user_s_own(filled: Filled) -> None:
    """Another's answer is not read by guessing their key."""
    owner, researcher = filled.api(Role.OWNER), filled.api(Role.RESEARCHER)
    owner.post("guidelines", {"kind": "prompt"}, Idempotency_Key="k1")
    answer = researcher.ask("POST", "guidelines", {"kind": "rating"}, Idempotency_Key="k1")
    assert (answer.status_code, answer.json()["kind"]) == (201, "rating")


@pytest.mark.sqlite
@pytest.mark.parametrize("key", ["x" * 201, "ü", "a\tb"])
def test_a_key_that_cannot_be_kept_is_refused(owner_api: Api, key: str) -> None:
    assert owner_api.post("cohorts", {"name": "New"}, Idempotency_Key=key)[0] == 400


@pytest.mark.sqlite
def test_a_claim_with_a_key_is_answered_as_before(filled: Filled) -> None:
    api = filled.api(Role.LABELER)
    path = f"campaigns/{filled.rows['campaign_id']}/claim"
    first = api.post(path, Idempotency_Key="c1")
    assert first[0] == 200
    assert api.post(path, Idempotency_Key="c1") == first


def at_once(number: int, send: Callable[[int], Any]) -> list[Any]:
    """What each of so many threads was answered."""
    answers: list[Any] = []

    def run(place: int) -> None:
        try:
            answers.append(send(place))
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=[place]) for place in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_of_two_at_once_with_one_key_one_acts_and_both_get_its_answer(project: Project) -> None:
    api = fill(project).api(Role.OWNER)
    answers = at_once(4, lambda _: Api(api.token).post("cohorts", {"name": "New"}, Idempotency_Key="k1"))
    assert answers == [answers[0]] * 4
    assert answers[0][0] == 201
    assert (Cohort.objects.filter(name="New").count(), AnsweredRequest.objects.count()) == (1, 1)


@pytest.mark.sqlite
def test_what_is_still_so_is_not_sent_again(filled: Filled, owner_api: Api) -> None:
    first = owner_api.ask("GET", "prompts")
    assert first["ETag"]
    same = owner_api.ask("GET", "prompts", If_None_Match=first["ETag"])
    assert (same.status_code, same.content, same["ETag"]) == (304, b"", first["ETag"])
    make_prompt(filled.project)
    changed = owner_api.ask("GET", "prompts", If_None_Match=first["ETag"])
    assert changed.status_code == 200
    assert changed["ETag"] != first["ETag"]
    assert "private" in first["Cache-Control"]


@pytest.mark.sqlite
@pytest.mark.parametrize("change", [("PATCH", {"name": "Elders"}), ("DELETE", None)])
def test_a_change_is_made_only_to_what_its_client_read(filled: Filled, owner_api: Api, change: tuple[str, Any]) -> None:
    method, body = change
    path = f"cohorts/{filled.rows['cohort_id']}"
    read = owner_api.ask("GET", path)["ETag"]
    Cohort.objects.filter(pk=filled.rows["cohort_id"]).update(about="Changed by another.")
    status, answer = owner_api.send(method, path, body, If_Match=read)
    assert (status, answer["error"]["code"]) == (412, "changed_meanwhile")
    assert Cohort.objects.get(pk=filled.rows["cohort_id"]).name == "Experts"
    now = owner_api.ask("GET", path)["ETag"]
    assert owner_api.send(method, path, body, If_Match=f'"odd", {now}')[0] in (200, 204)
    assert not Cohort.objects.filter(name="Experts").exists()


@pytest.mark.sqlite
def test_work_that_goes_on_is_no_change_of_a_campaign_s_settings(filled: Filled, owner_api: Api) -> None:
    path = f"campaigns/{filled.rows['campaign_id']}"
    read = owner_api.ask("GET", path)
    campaign = Campaign.objects.get(pk=filled.rows["campaign_id"])
    labeler = make_labeler(campaign.project, "newcomer")
    submit_now(must_claim(campaign, labeler), ranked(1, 2, 2))
    now = owner_api.ask("GET", path, If_None_Match=read["ETag"])
    assert now.status_code == 200
    assert now.json()["progress"] != read.json()["progress"]
    assert owner_api.send("PATCH", path, {"lease_minutes": 50}, If_Match=read["ETag"])[0] == 200
    assert owner_api.send("PATCH", path, {"lease_minutes": 60}, If_Match=now["ETag"])[0] == 412


@pytest.mark.sqlite
def test_a_change_to_the_project_itself_is_compared_with_what_it_is_now(filled: Filled, owner_api: Api) -> None:
    read = owner_api.ask("GET", "")["ETag"]
    assert owner_api.send("PATCH", "", {"name": "One"}, If_Match=read)[0] == 200
    assert owner_api.send("PATCH", "", {"name": "Two"}, If_Match=read)[0] == 412
    assert owner_api.send("PATCH", "", {"name": "Two"}, If_Match='"*"')[0] == 412
    assert owner_api.send("PATCH", "", {"name": "Two"}, If_Match="*")[0] == 200
    assert Project.objects.get(slug="helpdesk").name == "Two"


@pytest.mark.sqlite
def test_a_repeat_of_a_guarded_change_gets_its_first_answer(filled: Filled, owner_api: Api) -> None:
    headers = {"If_Match": owner_api.ask("GET", "")["ETag"], "Idempotency_Key": "k1"}
    first = owner_api.send("PATCH", "", {"name": "One"}, **headers)
    assert owner_api.send("PATCH", "", {"name": "One"}, **headers) == first
    assert first[0] == 200


@pytest.mark.sqlite
def test_a_condition_where_nothing_is_read_is_refused(filled: Filled) -> None:
    """It would be believed to hold."""
    api = filled.api(Role.LABELER)
    status, body = api.send("PUT", f"assignments/{filled.rows['uuid']}/draft", {"fields": {}}, If_Match='"x"')
    assert (status, body["error"]["code"]) == (400, "invalid_query")


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_of_those_who_read_the_same_one_writes(project: Project) -> None:
    api = fill(project).api(Role.OWNER)
    read = api.ask("GET", "")["ETag"]
    answers = at_once(4, lambda place: Api(api.token).send("PATCH", "", {"name": f"Name {place}"}, If_Match=read))
    assert sorted(status for status, _ in answers) == [200, 412, 412, 412]


@pytest.mark.sqlite
def test_pages_follow_each_other_and_new_rows_shift_nothing(filled: Filled, owner_api: Api) -> None:
    seen: list[int] = []
    path = "prompts?limit=4"
    while True:
        _, page = owner_api.get(path)
        seen += [one["id"] for one in page["items"]]
        if page["next"] is None:
            break
        make_prompt(filled.project) if len(seen) == 4 else None
        path = f"prompts?limit=4&cursor={page['next']}"
    assert seen == list(Prompt.objects.order_by("pk").values_list("pk", flat=True))
