"""A question asked from a task lands with the reviewers, is answered, and becomes an example in the guideline."""

import pytest

from labeling.models import Guideline, Project, Question, Role, User
from labeling.questions import MOST_WAITING, ask
from tests.conftest import make_member, signed_in
from tests.labeling.conftest import Desk

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]

QUESTIONS = "/projects/helpdesk/questions/"


@pytest.fixture
def reviewer(project: Project) -> User:
    return make_member(project, "rita", Role.REVIEWER)


def test_it_is_asked_from_the_task_and_answered_under_my_work(desk: Desk, reviewer: User, labeler: User) -> None:
    answer = desk.client.post(f"{desk.page}ask/", {"text": "Is a **refusal** a miss?\r\nAlways?"})
    assert answer.url == desk.page
    question = Question.objects.get()
    assert (question.text, question.guideline) == ("Is a **refusal** a miss?\nAlways?", desk.campaign.guideline)
    html = signed_in(reviewer).get(QUESTIONS).content.decode()
    assert "Is a **refusal** a miss?" in html
    assert labeler.username not in html
    signed_in(reviewer).post(f"{QUESTIONS}{question.pk}/", {"text": "Only where help was asked for."})
    assert "Only where help was asked for." in desk.client.get("/projects/helpdesk/my-work/").content.decode()
    assert f"{desk.page}ask/" in desk.client.get(desk.page).content.decode()


def test_the_same_question_sent_twice_is_one(desk: Desk) -> None:
    for _ in range(2):
        desk.client.post(f"{desk.page}ask/", {"text": "Why?"})
    assert Question.objects.count() == 1


@pytest.mark.parametrize(("text", "says"), [("", "is empty"), ("x" * 2001, "at most 2,000"), ("a\0b", "NUL")])
def test_what_cannot_be_kept_is_refused_with_its_words(desk: Desk, text: str, says: str) -> None:
    answer = desk.client.post(f"{desk.page}ask/", {"text": text})
    assert answer.status_code == 422
    assert says in answer.content.decode()
    assert not Question.objects.exists()


def test_nobody_has_more_than_so_many_waiting(desk: Desk) -> None:
    for number in range(MOST_WAITING):
        ask(desk.assignment, f"Question {number}?")
    assert desk.client.post(f"{desk.page}ask/", {"text": "One more?"}).status_code == 422


def test_an_answer_becomes_an_example_in_the_draft_of_the_next_version_once(desk: Desk, reviewer: User) -> None:
    question = ask(desk.assignment, "Is a *joke*\nan opinion?")
    client = signed_in(reviewer)
    for sent in ({"text": "No.", "example": "yes"}, {"example": "yes"}):
        assert client.post(f"{QUESTIONS}{question.pk}/", sent).status_code == 302
    draft = Guideline.objects.get(version=2)
    assert draft.published_at is None
    assert draft.body.startswith(desk.campaign.guideline.body)
    assert draft.body.count("**Asked: Is a joke an opinion?**\n\nNo.\n") == 1
    question.refresh_from_db()
    assert question.example_in == draft


def test_an_answer_of_somebody_else_is_not_written_over(desk: Desk, reviewer: User, owner: User) -> None:
    question = ask(desk.assignment, "Why?")
    signed_in(owner).post(f"{QUESTIONS}{question.pk}/", {"text": "Because."})
    answer = signed_in(reviewer).post(f"{QUESTIONS}{question.pk}/", {"text": "Never."})
    assert answer.status_code == 409
    assert Question.objects.get().answer == "Because."


def test_labelers_and_strangers_do_not_see_others_questions(desk: Desk, labeler: User, stranger: User) -> None:
    question = ask(desk.assignment, "Why?")
    for page in (QUESTIONS, f"{QUESTIONS}{question.pk}/"):
        assert signed_in(stranger).post(page).status_code in (404, 405)
    assert signed_in(labeler).get(QUESTIONS).status_code == 403
    assert signed_in(labeler).post(f"{QUESTIONS}{question.pk}/", {"text": "x"}).status_code == 403
    assert signed_in(stranger).get(f"{desk.page}ask/").status_code == 404
    assert Question.objects.get().answered_at is None
