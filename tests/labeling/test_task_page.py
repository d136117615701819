"""The page of a task: shown blind to whom it was handed, submitted, refused with the words kept."""

import re
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from labeling import standing
from labeling.models import Assignment, Project, Prompt, Response, Submission, User, WorkKind
from labeling.opening import close_campaign
from labeling.releasing import release_expired
from tests.conftest import make_member, signed_in
from tests.labeling.conftest import Desk, at_desk
from tests.labeling.work import (
    let_lapse,
    make_campaign,
    make_labeler,
    must_claim,
    ranked,
    skip_now,
    submit_now,
)

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]

RANKED = {"rank_A": "1", "rank_B": "2", "rank_C": "2", "rank_D": "4"}


def test_it_shows_every_response_under_its_letter_in_the_order_drawn(desk: Desk) -> None:
    html = desk.client.get(desk.page).content.decode()
    texts = [Response.objects.get(pk=pk).text for pk in desk.assignment.order]
    places = [html.index(text) for text in texts]
    assert places == sorted(places)
    assert re.findall(r'data-response="(\w)"', html) == ["A", "B", "C", "D"]


def test_a_submission_leads_to_the_next_task(desk: Desk) -> None:
    answer = desk.client.post(desk.page, desk.form(**RANKED))
    submission = Submission.objects.get()
    assert submission.counted
    after = Assignment.objects.exclude(pk=desk.assignment.pk).get()
    assert answer.url == f"/projects/helpdesk/tasks/{after.uuid}/"


def test_a_script_is_told_the_next_address(desk: Desk) -> None:
    answer = desk.client.post(desk.page, desk.form(**RANKED), headers={"accept": "application/json"})
    after = Assignment.objects.exclude(pk=desk.assignment.pk).get()
    assert answer.json() == {"next": f"/projects/helpdesk/tasks/{after.uuid}/"}


def test_with_the_answer_comes_the_page_of_the_next_task_for_a_script_that_shows_it(desk: Desk) -> None:
    wanted = {"accept": "application/json", "prefer": "return=representation"}
    answer = desk.client.post(desk.page, desk.form(**RANKED), headers=wanted).json()
    after = Assignment.objects.exclude(pk=desk.assignment.pk).get()
    assert answer["next"] == f"/projects/helpdesk/tasks/{after.uuid}/"
    asked_for = desk.client.get(answer["next"]).content.decode()
    assert one_time(answer["page"]) == one_time(asked_for)
    last = {"key": str(uuid4()), "lease_token": str(after.lease_token), "corrects": "0"}
    final = desk.client.post(answer["next"], desk.form(**RANKED) | last, headers=wanted).json()
    assert final == {"next": f"/projects/helpdesk/#campaign-{desk.campaign.pk}"}


def one_time(html: str) -> str:
    """The page without what is new in each."""
    return re.sub(r'name="(key|csrfmiddlewaretoken)" value="[^"]*"', "", html)


@pytest.mark.parametrize("required", [[], ["ratings"]], ids=["pair by one key", "on the board"])
def test_a_page_of_nine_costs_as_many_queries_as_one_of_two(
    project: Project, labeler: User, required: list[str], django_assert_max_num_queries: Any
) -> None:
    found = set()
    for shown in (2, 4, 9):
        desk = at_desk(labeler, make_campaign(project, tasks=3, shown=shown, required=required))
        desk.client.get(desk.page)
        with django_assert_max_num_queries(12) as captured:
            assert desk.client.get(desk.page).status_code == 200
        found.add(len(captured))
    assert len(found) == 1


@pytest.mark.parametrize(("characters", "place"), [(900, "above"), (901, "beside")])
def test_a_long_prompt_stands_beside_the_responses(
    project: Project, labeler: User, characters: int, place: str
) -> None:
    desk = at_desk(labeler, make_campaign(project, shown=3))
    Prompt.objects.update(messages=[{"role": "user", "content": "x" * characters}])
    assert f'data-prompt-place="{place}"' in desk.client.get(desk.page).content.decode()


def test_a_page_travels_packed(desk: Desk) -> None:
    plain = desk.client.get(desk.page)
    packed = desk.client.get(desk.page, headers={"accept-encoding": "gzip"})
    assert packed["Content-Encoding"] == "gzip"
    assert len(packed.content) < len(plain.content) / 3


def test_a_double_click_is_one_submission(desk: Desk) -> None:
    first, second = (desk.client.post(desk.page, desk.form(**RANKED)) for _ in range(2))
    assert first.url == second.url
    assert Submission.objects.count() == 1


def test_the_last_submission_leads_to_the_queue_which_says_why(project: Project, labeler: User) -> None:
    desk = at_desk(labeler, make_campaign(project, tasks=1))
    answer = desk.client.post(desk.page, desk.form(**RANKED), follow=True)
    assert answer.redirect_chain[-1][0] == f"/projects/helpdesk/#campaign-{desk.campaign.pk}"
    assert "You have done everything that is open to you" in answer.content.decode()


@pytest.mark.parametrize(
    ("fields", "status", "says"),
    [
        ({}, 422, "Nothing is ranked yet"),
        (RANKED | {"rank_E": "1"}, 422, "There is no response E here; this task shows A to D."),
        (RANKED | {"rating_A_overall": "8"}, 422, "expected a whole number from 1 to 7"),
        (RANKED | {"rating_A_overall": "0"}, 422, "expected a whole number from 1 to 7"),
        (RANKED | {"rating_A_overall": "٣"}, 422, "expected a whole number."),
        (RANKED | {"flag_A_hallucination": "maybe"}, 422, "expected yes, no, or no answer"),
        (RANKED | {"charm": "5"}, 422, "is not a field of this form"),
        (RANKED | {"order": "proposed"}, 422, "still a proposal"),
        (RANKED | {"note": "x" * 5001}, 422, "at most 5,000"),
        (RANKED | {"lease_token": str(uuid4())}, 409, "from an earlier hold"),
        (RANKED | {"lease_token": "none"}, 422, "missing or damaged"),
        (RANKED | {"key": ""}, 422, "missing or damaged"),
    ],
)
def test_what_is_refused_comes_back_with_its_words_and_writes_nothing(
    desk: Desk, fields: dict[str, str], status: int, says: str
) -> None:
    form = desk.form(note_B="my long thought <b>", **fields)
    page = desk.client.post(desk.page, form)
    assert page.status_code == status
    html = page.content.decode()
    assert says in html.replace("&#x27;", "'")
    assert "my long thought &lt;b&gt;" in html
    told = desk.client.post(desk.page, form, headers={"accept": "application/json"})
    assert told.status_code == status
    assert set(told.json()) == {"code", "message", "problems"}
    assert not Submission.objects.exists()


def test_a_field_given_twice_is_refused(desk: Desk) -> None:
    answer = desk.client.post(desk.page, desk.form(**RANKED) | {"rank-A": ["1", "2"]})
    assert answer.status_code == 422
    assert "rank-A is given twice" in answer.content.decode()


def test_a_closed_campaign_takes_what_is_in_hand(desk: Desk) -> None:
    close_campaign(desk.campaign)
    assert "What you hold can still be submitted" in desk.client.get("/projects/helpdesk/").content.decode()
    answer = desk.client.post(desk.page, desk.form(**RANKED))
    assert answer.status_code == 302
    assert Submission.objects.get().counted


def test_what_was_taken_back_at_the_close_is_kept_and_said_not_to_count(desk: Desk) -> None:
    close_campaign(desk.campaign, release=True)
    assert "is kept and credited to you, and not counted" in desk.client.get(desk.page).content.decode()
    answer = desk.client.post(desk.page, desk.form(**RANKED), follow=True)
    assert "The campaign was closed before you submitted" in answer.content.decode()
    assert not Submission.objects.get().counted


def test_surplus_work_is_thanked_for_and_said_not_to_count(project: Project, labeler: User) -> None:
    desk = at_desk(labeler, make_campaign(project, tasks=1))
    let_lapse(desk.assignment)
    must_claim(desk.campaign, make_labeler(project, "ben"))
    answer = desk.client.post(desk.page, desk.form(**RANKED), follow=True)
    assert "credited to you, and not counted" in answer.content.decode()
    assert not Submission.objects.get().counted


def test_a_draft_is_shown_again_at_its_place(desk: Desk) -> None:
    fields = {
        "rating-B-overall": "6",
        "rank-C": "2",
        "flag-A-hallucination": "yes",
        "note-D": "so so",
        "verdict": "none_acceptable",
    }
    Assignment.objects.filter(pk=desk.assignment.pk).update(draft=fields)
    html = desk.client.get(desk.page).content.decode()
    assert '<input type="radio" name="rating-B-overall" value="6" checked>' in html
    assert re.search(r'name="flag-A-hallucination" value="yes" aria-label="yes" checked', html)
    assert re.search(r'name="rank-C".*?<option value="2" selected>', html, re.S)
    assert "\nso so</textarea>" in html
    assert re.search(r'name="verdict" value="none_acceptable" checked', html)


def test_nothing_is_chosen_before_somebody_chooses(desk: Desk) -> None:
    html = desk.client.get(desk.page).content.decode()
    assert re.findall(r'<input type="radio" name="rating-[^>]* checked', html) == []
    chosen = re.findall(r'<input type="radio" name="flag-[^>]* value="(\w*)"[^>]* checked', html)
    assert set(chosen) == {""}
    assert "selected" not in html


def test_a_submitted_task_is_corrected_on_its_page(desk: Desk) -> None:
    desk.client.post(desk.page, desk.form(note_A="first", **RANKED))
    html = desk.client.get(desk.page).content.decode()
    assert "You are correcting it" in html
    assert "\nfirst</textarea>" in html
    form = desk.form(**(RANKED | {"rank_A": "3"})) | {"corrects": "1", "key": str(uuid4())}
    assert desk.client.post(desk.page, form).status_code == 302
    assert list(Submission.objects.order_by("number").values_list("number", "counted")) == [(1, True), (2, True)]


def test_a_submission_past_its_window_can_be_looked_at_only(project: Project, labeler: User) -> None:
    desk = at_desk(labeler, make_campaign(project, correction_minutes=0))
    desk.client.post(desk.page, desk.form(note_A="first", **RANKED))
    html = desk.client.get(desk.page).content.decode()
    assert "no longer be corrected" in html
    assert 'type="submit"' not in html


@pytest.mark.parametrize(
    ("kind", "shown", "field"),
    [
        (WorkKind.RANKING, 2, 'name="better"'),
        (WorkKind.RANKING, 9, 'name="rank-I"'),
        (WorkKind.RATING, 1, 'name="rating-A-overall"'),
        (WorkKind.DEMONSTRATION, 0, 'name="text"'),
    ],
)
def test_each_kind_of_work_has_its_screen(project: Project, labeler: User, kind: str, shown: int, field: str) -> None:
    desk = at_desk(labeler, make_campaign(project, kind=kind, shown=shown))
    assert field in desk.client.get(desk.page).content.decode()


@pytest.mark.parametrize(
    ("better", "ranks"), [("A", [1, 2]), ("B", [2, 1]), ("equal", [1, 1]), ("neither", [None, None])]
)
def test_a_pair_is_decided_by_one_field(project: Project, labeler: User, better: str, ranks: list[int | None]) -> None:
    desk = at_desk(labeler, make_campaign(project, shown=2))
    desk.client.post(desk.page, desk.form(better=better))
    submission = Submission.objects.get()
    found = dict(submission.judgments.values_list("response_id", "rank"))
    assert [found[pk] for pk in desk.assignment.order] == ranks
    assert bool(submission.verdict) == (better == "neither")


def test_a_demonstration_keeps_its_lines(project: Project, labeler: User) -> None:
    desk = at_desk(labeler, make_campaign(project, kind=WorkKind.DEMONSTRATION))
    desk.client.post(desk.page, desk.form(text="one\r\ntwo\r\n"))
    assert Response.objects.get(labeler__isnull=False).text == "one\ntwo\n"


def test_the_queries_of_the_page_do_not_grow_with_the_responses(
    project: Project, labeler: User, django_assert_max_num_queries
) -> None:  # type: ignore[no-untyped-def]
    counts = []
    for shown in (2, 9):
        desk = at_desk(labeler, make_campaign(project, shown=shown, tasks=3, required=["ratings"]))
        with django_assert_max_num_queries(12) as seen:
            assert desk.client.get(desk.page).status_code == 200
        counts.append(len(seen))
    assert counts[0] == counts[1]


def test_it_says_how_many_are_left(project: Project, labeler: User, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = at_desk(labeler, make_campaign(project, tasks=6))
    assert "0 today, 5 left<" in desk.client.get(desk.page).content.decode()
    assert " · task 1" in desk.client.get(desk.page).content.decode()
    desk.client.post(desk.page, desk.form(**RANKED))
    assert "1 today, 4 left<" in desk.client.get(desk.page).content.decode()
    monkeypatch.setattr(standing, "LOOKED_AT", 3)
    assert "1 today, 3 or more left<" in desk.client.get(desk.page).content.decode()


def test_after_the_lease_is_gone_the_page_says_so(desk: Desk) -> None:
    let_lapse(desk.assignment)
    release_expired()
    html = desk.client.get(desk.page).content.decode()
    assert "Your hold on this task ran out" in html
    assert "You skipped this task" not in html


def test_after_a_skip_the_page_says_so(desk: Desk) -> None:
    skip_now(desk.assignment)
    html = desk.client.get(desk.page).content.decode()
    assert "You skipped this task" in html
    assert "ran out" not in html


PAGES = ["", "skip/", "draft/"]


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("method", ["get", "post"])
def test_a_stranger_and_a_colleague_learn_nothing_of_the_task(
    desk: Desk, stranger: User, project: Project, page: str, method: str
) -> None:
    colleague = make_member(project, "carla", "owner")
    for user in (stranger, colleague):
        answer = getattr(signed_in(user), method)(desk.page + page)
        assert answer.status_code == (405 if (page, method) == ("draft/", "get") else 404)
    invented = f"/projects/helpdesk/tasks/{uuid4()}/{page}"
    assert getattr(desk.client, method)(invented).status_code in (404, 405)
    desk.assignment.refresh_from_db()
    assert desk.assignment.state == Assignment.State.LIVE


@pytest.mark.parametrize("page", PAGES)
def test_whoever_is_signed_out_is_sent_to_sign_in(desk: Desk, page: str) -> None:
    answer = Client().post(desk.page + page)
    assert (answer.status_code, answer.url.split("?")[0]) == (302, "/accounts/login/")


def test_a_customer_does_not_label(project: Project) -> None:
    customer = signed_in(make_member(project, "cleo", "customer"))
    assert customer.get("/projects/helpdesk/").status_code == 403


def test_work_counts_for_whoever_holds_it_and_no_other(desk: Desk, project: Project) -> None:
    other = make_labeler(project, "ben")
    theirs = must_claim(make_campaign(project), other)
    page = f"/projects/helpdesk/tasks/{theirs.uuid}/"
    form = desk.form(**RANKED) | {"lease_token": str(theirs.lease_token)}
    assert desk.client.post(page, form).status_code == 404
    submit_now(theirs, ranked(1, 2, 3, 4))
    assert desk.client.get(page).status_code == 404
