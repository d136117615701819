"""What has no meaning is refused at its place, with the common shape of errors and a 4xx, and nothing is written."""

import json
from uuid import uuid4

import pytest

from labeling.assigning import labeler_of
from labeling.models import Assignment, Judgment, Project, Role, Submission, User
from labeling.opening import close_campaign
from tests.conftest import make_member, signed_in
from tests.labeling.conftest import Desk, at_desk
from tests.labeling.work import make_campaign, must_claim

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]

RANKED = {"rank_A": "1", "rank_B": "2", "rank_C": "3", "rank_D": "4"}
JSON = {"accept": "application/json"}


def refused(answer, status: int, code: str, place: str) -> None:  # type: ignore[no-untyped-def]
    """The common shape: a code and a sentence for the whole, and each problem with its place in the form."""
    assert answer.status_code == status, answer.content
    told = answer.json()
    assert set(told) == {"code", "message", "problems"}
    assert told["message"]
    found = [(problem["code"], problem["place"]) for problem in told["problems"]]
    assert (code, place) in found, found
    assert all(set(problem) == {"code", "message", "place"} for problem in told["problems"])
    assert not Submission.objects.exists()
    assert not Judgment.objects.exists()


@pytest.mark.parametrize(
    ("fields", "code", "place"),
    [
        ({"rank_E": "1"}, "unknown_response", "E"),
        ({"rank_Z": "1"}, "unknown_response", "rank-Z"),
        ({"rating_A_overall": "0"}, "rating_out_of_range", "rating-A-overall"),
        ({"rating_B_overall": "8"}, "rating_out_of_range", "rating-B-overall"),
        ({"rating_B_overall": "4.5"}, "not_a_number", "rating-B-overall"),
        ({"rating_B_charm": "4"}, "unknown_scale", "rating-B-charm"),
        ({"rank_C": "5"}, "rank_out_of_range", "rank-C"),
        ({"rank_C": "-1"}, "not_a_number", "rank-C"),
        ({"note_A": "a\0b"}, "text_unstorable", "note-A"),
        ({"note": "x" * 5_001}, "text_too_long", "note"),
        ({"strength": "1"}, "strength_of_pairs_only", "strength"),
        ({"verdict": "terrible"}, "unknown_verdict", ""),
        ({"flag_A_rude": "yes"}, "unknown_flag", "flag-A-rude"),
    ],
)
def test_a_field_that_has_no_meaning_is_named(desk: Desk, fields: dict[str, str], code: str, place: str) -> None:
    refused(desk.client.post(desk.page, desk.form(**(RANKED | fields)), headers=JSON), 422, code, place)


def test_a_rank_for_a_response_twice(desk: Desk) -> None:
    form = {**desk.form(**RANKED), "rank-B": ["2", "3"]}
    refused(desk.client.post(desk.page, form, headers=JSON), 422, "given_twice", "rank-B")


@pytest.mark.parametrize(
    ("required", "fields", "code", "place"),
    [
        ("ranks", {"rank_A": "1", "rank_B": "2", "rank_C": "3"}, "rank_missing", "rank-D"),
        ("ratings", RANKED | {"rating_A_overall": "4"}, "rating_missing", "rating-B-overall"),
        ("flags", RANKED, "flag_missing", "flag-A-misses_task"),
    ],
)
def test_what_is_required_and_left_out_is_asked_for_at_its_place(
    project: Project, labeler: User, required: str, fields: dict[str, str], code: str, place: str
) -> None:
    desk = at_desk(labeler, make_campaign(project, required=[required]))
    refused(desk.client.post(desk.page, desk.form(**fields), headers=JSON), 422, code, place)
    html = desk.client.post(desk.page, desk.form(**fields)).content.decode()
    letter = place.split("-")[1]
    card = html[html.index(f'data-response="{letter}"') :]
    assert card.index("data-problems><p>") < card.index("</header>")


@pytest.mark.parametrize("address", ["", "draft/"])
def test_two_megabytes_of_text_are_too_many(desk: Desk, address: str) -> None:
    form = desk.form(**RANKED) | {"note": "x" * (2 << 20)}
    sent = {"data": form, "headers": JSON}
    if address:
        body = json.dumps({"lease_token": str(desk.assignment.lease_token), "fields": form})
        sent = {"data": body, "content_type": "application/json"}
    elif address == "":
        sent = {"data": "&".join(f"{name}={value}" for name, value in form.items()), "headers": JSON,
                "content_type": "application/x-www-form-urlencoded"}  # fmt: skip
    refused(desk.client.post(desk.page + address, **sent), 413, "too_large", "")  # type: ignore[arg-type]
    assert Assignment.objects.get().draft == {}


def test_anothers_assignment_is_not_there(project: Project, desk: Desk) -> None:
    other = make_member(project, "ben", Role.LABELER)
    theirs = must_claim(desk.campaign, labeler_of(other.memberships.get()))
    page = desk.page.replace(str(desk.assignment.uuid), str(theirs.uuid))
    form = desk.form(**RANKED) | {"lease_token": str(theirs.lease_token)}
    for address in (page, f"{page}draft/", f"{page}skip/", f"{page}show/", f"{page}ask/"):
        assert desk.client.post(address, form, headers=JSON).status_code == 404
    assert not Submission.objects.exists()
    theirs.refresh_from_db()
    assert (theirs.state, theirs.draft) == (Assignment.State.LIVE, {})


def test_a_stale_lease_token(desk: Desk) -> None:
    form = desk.form(**RANKED) | {"lease_token": str(uuid4())}
    refused(desk.client.post(desk.page, form, headers=JSON), 409, "stale_lease", "")


def test_a_closed_campaign_takes_no_correction_and_hands_out_nothing(desk: Desk) -> None:
    assert desk.client.post(desk.page, desk.form(**RANKED), headers=JSON).status_code == 200
    close_campaign(desk.campaign)
    form = desk.form(**RANKED) | {"corrects": "1", "key": str(uuid4())}
    answer = desk.client.post(desk.page, form, headers=JSON)
    assert (answer.status_code, answer.json()["code"]) == (409, "campaign_not_open")
    assert Submission.objects.count() == 1
    before = Assignment.objects.count()
    desk.client.post(f"/projects/helpdesk/campaigns/{desk.campaign.pk}/next/")
    assert Assignment.objects.count() == before


def test_whoever_is_signed_out_writes_nothing(desk: Desk) -> None:
    desk.client.logout()
    answer = desk.client.post(desk.page, desk.form(**RANKED), headers=JSON)
    assert answer.status_code == 302
    assert "/accounts/login/" in answer.url
    assert not Submission.objects.exists()


def test_an_owner_cannot_submit_in_a_labelers_place(desk: Desk, owner: User) -> None:
    assert signed_in(owner).post(desk.page, desk.form(**RANKED), headers=JSON).status_code == 404
    assert not Submission.objects.exists()
