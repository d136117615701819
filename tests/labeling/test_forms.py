"""A form is read exactly, and a submission turns back into the fields it came from."""

import pytest
from django.http import QueryDict

from labeling.errors import InvalidWork
from labeling.forms import fields_said, read_form
from labeling.models import Project, WorkKind
from tests.labeling.work import make_campaign, make_labeler, must_claim, submit_now

pytestmark = [pytest.mark.sqlite]

ENVELOPE = "key=11111111-2222-4333-8444-555555555555&lease_token=11111111-2222-4333-8444-555555555556"


def read(query: str):  # type: ignore[no-untyped-def]
    return read_form(QueryDict(f"{ENVELOPE}&{query}"))


def test_what_is_left_empty_is_absent() -> None:
    work = read("rating-A-overall=&flag-A-hallucination=&rank-A=&note-A=&verdict=&strength=").work
    assert work.responses == {}
    assert (work.verdict, work.strength) == ("", None)


def test_no_is_an_answer_and_empty_is_none() -> None:
    said = read("flag-A-hallucination=no&flag-A-rude=").work.responses["A"]
    assert said.flags == {"hallucination": False}


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("rank-A=1.5", "not_a_number"),
        ("rank-A=-1", "not_a_number"),
        ("rank-A=+1", "not_a_number"),
        ("rank-A=1e0", "not_a_number"),
        ("rank-A=NaN", "not_a_number"),
        ("rank-A=9999999999999999999", "not_a_number"),
        ("rank-AB=1", "unknown_response"),
        ("rank-Z=1", "unknown_response"),
        ("rank-=1", "unknown_response"),
        ("rank=1", "unknown_field"),
        ("rating-A=1", "unknown_field"),
        ("is_staff=1", "unknown_field"),
        ("rank-A=1&rank-A=2", "given_twice"),
        ("flag-A-x=perhaps", "not_yes_or_no"),
        ("better=C", "unknown_decision"),
        ("corrects=-1", "not_a_number"),
        ("active_ms=soon", "not_a_number"),
    ],
)
def test_it_refuses_what_cannot_be_read(query: str, code: str) -> None:
    with pytest.raises(InvalidWork) as refused:
        read(query)
    assert [problem.code for problem in refused.value.problems] == [code]


@pytest.mark.django_db
def test_a_submission_turns_back_into_its_fields(project: Project) -> None:
    assignment = must_claim(make_campaign(project, shown=3), make_labeler(project, "ada"))
    query = "rank-A=2&rank-B=1&rating-A-overall=4&flag-B-hallucination=no&note-B=well&note=all&verdict=none_acceptable"
    sent = read(query)
    submission = submit_now(assignment, sent.work).submission
    assert fields_said(submission, assignment.order, WorkKind.RANKING) == dict(sent.fields)
