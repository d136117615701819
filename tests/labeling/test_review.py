"""What labelers write is reviewed: accepted, or returned to its author, who takes it up again."""

from dataclasses import dataclass
from uuid import uuid4

import pytest
from django.test import Client

from labeling.assigning import labeler_of
from labeling.checking import Work
from labeling.datasets import records_of
from labeling.errors import AlreadyReviewed, AlreadySubmitted, CampaignNotOpen, InvalidWork, NotReviewable
from labeling.models import (
    Assignment,
    Campaign,
    Labeler,
    Membership,
    Project,
    Response,
    Review,
    Role,
    Submission,
    User,
    WorkKind,
)
from labeling.opening import close_campaign
from labeling.records import Kind
from labeling.reviewing import Reviewed, returned_to, review, reviews_of, waiting_for
from labeling.submitting import keep_draft
from tests.conftest import make_member, signed_in
from tests.labeling.work import make_campaign, make_labeler, must_claim, ranked, submit_now, written

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]

TEXT = "An apple a day."


@pytest.fixture
def rita(project: Project) -> User:
    return make_member(project, "rita", Role.REVIEWER)


@pytest.fixture
def lars(labeler: User) -> Labeler:
    return labeler_of(Membership.objects.get(user=labeler))


@dataclass(frozen=True)
class Demonstrated:
    campaign: Campaign
    assignment: Assignment
    submission: Submission

    @property
    def response(self) -> Response:
        return self.submission.responses.get()


def demonstrate(project: Project, by: Labeler, text: str = TEXT) -> Demonstrated:
    campaign = make_campaign(project, kind=WorkKind.DEMONSTRATION)
    assignment = must_claim(campaign, by)
    submission = submit_now(assignment, Work(text=text)).submission
    assignment.refresh_from_db()
    return Demonstrated(campaign, assignment, submission)


@pytest.fixture
def done(project: Project, lars: Labeler) -> Demonstrated:
    return demonstrate(project, lars)


def accept(submission: Submission, by: User, *, seen: int = 0, remarks: str = "") -> Review:
    return review(submission, by, state="accepted", remarks=remarks, seen=seen)


def send_back(submission: Submission, by: User, *, seen: int = 0, remarks: str = "Say which apple.") -> Review:
    return review(submission, by, state="returned", remarks=remarks, seen=seen)


def again(done: Demonstrated, text: str) -> Submission:
    return submit_now(done.assignment, Work(text=text), corrects=done.submission.number).submission


# --- deciding ---------------------------------------------------------------------------------------------------------


def test_the_responses_state_follows(done: Demonstrated, rita: User) -> None:
    assert done.response.review_state == "unreviewed"
    first = accept(done.submission, rita)
    assert done.response.review_state == "accepted"
    send_back(done.submission, rita, seen=first.pk)
    assert done.response.review_state == "returned"
    assert [one.state for one in Review.objects.all()] == ["returned", "accepted"]


def test_returning_needs_remarks(done: Demonstrated, rita: User) -> None:
    for remarks in ("", "  \n"):
        with pytest.raises(InvalidWork, match="Say what to change"):
            send_back(done.submission, rita, remarks=remarks)
    with pytest.raises(InvalidWork, match="Nothing is decided"):
        review(done.submission, rita, state="perhaps", remarks="", seen=0)
    with pytest.raises(InvalidWork, match="at most 5,000"):
        send_back(done.submission, rita, remarks="x" * 5_001)
    with pytest.raises(InvalidWork, match="NUL"):
        send_back(done.submission, rita, remarks="x\0")
    assert not Review.objects.exists()


def test_nobody_reviews_their_own_words(project: Project, rita: User) -> None:
    own = demonstrate(project, labeler_of(Membership.objects.get(user=rita)))
    assert own.submission not in waiting_for(rita, project)
    with pytest.raises(NotReviewable, match="own words"):
        accept(own.submission, rita)


def test_of_two_reviewers_the_second_is_told_and_nothing_is_overwritten(
    project: Project, done: Demonstrated, rita: User, owner: User
) -> None:
    send_back(done.submission, rita)
    with pytest.raises(
        AlreadyReviewed, match="Another reviewer returned this meanwhile with these remarks: “Say which"
    ):
        accept(done.submission, owner)
    assert done.response.review_state == "returned"
    assert Review.objects.count() == 1


def test_the_same_decision_sent_twice_is_one_review(done: Demonstrated, rita: User) -> None:
    assert accept(done.submission, rita) == accept(done.submission, rita)
    assert Review.objects.count() == 1


def test_a_version_that_was_replaced_is_not_reviewed_any_more(done: Demonstrated, rita: User) -> None:
    send_back(done.submission, rita)
    again(done, "A Cox a day.")
    with pytest.raises(NotReviewable, match="another version"):
        accept(done.submission, rita, seen=Review.objects.get().pk)


# --- what waits -------------------------------------------------------------------------------------------------------


def test_what_waits_is_written_counts_and_is_reviewed_by_nobody(project: Project, lars: Labeler, rita: User) -> None:
    first, second = demonstrate(project, lars), demonstrate(project, lars, "Two.")
    prompts = make_campaign(project, kind=WorkKind.PROMPT, quota=3)
    third = submit_now(must_claim(prompts, lars), written("What is a fjord?")).submission
    surplus = demonstrate(project, lars, "Late.")
    Submission.objects.filter(pk=surplus.submission.pk).update(counted=False)
    submit_now(must_claim(make_campaign(project), lars), ranked(1, 2, 3, 4))
    simulated = Labeler.objects.create(project=project, pseudonym="sim", source=Labeler.Source.SIMULATED)
    demonstrate(project, simulated)
    assert list(waiting_for(rita, project)) == [first.submission, second.submission, third]
    accept(first.submission, rita)
    assert list(waiting_for(rita, project)) == [second.submission, third]
    assert list(waiting_for(rita, project, prompts)) == [third]


# --- the author -------------------------------------------------------------------------------------------------------


def test_a_returned_text_waits_for_its_author_and_is_reviewed_anew(
    project: Project, done: Demonstrated, lars: Labeler, rita: User
) -> None:
    Campaign.objects.update(correction_minutes=0)
    assert list(returned_to(lars)) == []
    send_back(done.submission, rita)
    assert list(returned_to(lars)) == [done.assignment]
    assert reviews_of([done.submission])[done.submission.pk] == Reviewed("returned", "Say which apple.")
    second = again(done, "A Cox a day.")
    assert (second.number, second.counted) == (2, True)
    assert second.responses.get().review_state == "unreviewed"
    assert list(returned_to(lars)) == []
    assert list(waiting_for(rita, project)) == [second]
    assert done.response.text == TEXT


def test_what_was_accepted_after_all_is_not_returned(done: Demonstrated, lars: Labeler, rita: User) -> None:
    first = send_back(done.submission, rita)
    accept(done.submission, rita, seen=first.pk)
    assert list(returned_to(lars)) == []
    with pytest.raises(AlreadySubmitted):
        again(done, "A Cox a day.")


def test_a_draft_of_what_was_returned_is_kept_on_the_server(done: Demonstrated, rita: User) -> None:
    with pytest.raises(AlreadySubmitted):
        keep_draft(done.assignment, {"text": "A C"}, lease_token=done.assignment.lease_token)
    send_back(done.submission, rita)
    kept = keep_draft(done.assignment, {"text": "A Cox"}, lease_token=done.assignment.lease_token)
    assert (kept.held, kept.lease_until) == (True, None)
    done.assignment.refresh_from_db()
    assert (done.assignment.state, done.assignment.draft) == ("submitted", {"text": "A Cox"})


def test_a_closed_campaign_takes_nothing_back(done: Demonstrated, lars: Labeler, rita: User) -> None:
    send_back(done.submission, rita)
    close_campaign(done.campaign)
    assert list(returned_to(lars)) == []
    with pytest.raises(CampaignNotOpen):
        again(done, "A Cox a day.")


def test_a_returned_prompt_goes_out_once_it_is_mended(project: Project, lars: Labeler, rita: User) -> None:
    campaign = make_campaign(project, kind=WorkKind.PROMPT, quota=3)
    assignment = must_claim(campaign, lars)
    first = submit_now(assignment, written("What is a fjrd?")).submission
    send_back(first, rita, remarks="A letter is missing.")
    assert list(records_of(project, Kind.PROMPT)) == []
    submit_now(assignment, written("What is a fjord?"), corrects=1)
    (record,) = records_of(project, Kind.PROMPT)
    assert record.prompt.messages[-1]["content"] == "What is a fjord?"


# --- the pages --------------------------------------------------------------------------------------------------------


def address(project: Project, submission: Submission | None = None) -> str:
    return f"/projects/{project.slug}/review/" + (f"{submission.pk}/" if submission else "")


@pytest.fixture
def rita_at_work(rita: User) -> Client:
    return signed_in(rita)


def test_the_queue_shows_what_waits_and_the_page_shows_the_text(
    project: Project, done: Demonstrated, rita_at_work: Client
) -> None:
    html = rita_at_work.get(address(project)).content.decode()
    assert "<b>1</b> text waits for a review." in html
    page = rita_at_work.get(address(project, done.submission)).content.decode()
    assert TEXT in page
    assert done.assignment.labeler.pseudonym not in page


def test_the_answer_to_a_decision_is_the_next_text(project: Project, lars: Labeler, rita_at_work: Client) -> None:
    first, second = demonstrate(project, lars), demonstrate(project, lars, "Two.")
    answer = rita_at_work.post(address(project, first.submission), {"decision": "accepted"})
    assert answer["Location"] == address(project, second.submission)
    answer = rita_at_work.post(
        address(project, second.submission),
        {"decision": "returned", "remarks": "Two what?"},
        headers={"accept": "application/json"},
    )
    assert answer.json() == {"next": address(project)}


def test_what_is_refused_comes_back_with_the_remarks(
    project: Project, done: Demonstrated, rita_at_work: Client
) -> None:
    answer = rita_at_work.post(address(project, done.submission), {"remarks": "Which apple?"})
    assert answer.status_code == 422
    assert "Which apple?" in answer.content.decode()
    accept(done.submission, User.objects.create_user(username="other"))
    answer = rita_at_work.post(address(project, done.submission), {"decision": "returned", "remarks": "Which?"})
    html = answer.content.decode()
    assert answer.status_code == 409
    assert "Another reviewer accepted this meanwhile" in html
    assert "Which?" in html


def test_a_campaign_is_kept_to(project: Project, lars: Labeler, rita_at_work: Client) -> None:
    first, second = demonstrate(project, lars), demonstrate(project, lars, "Two.")
    html = rita_at_work.get(address(project) + f"?campaign={second.campaign.pk}").content.decode()
    assert "<b>1</b> text waits" in html
    asked = f"?campaign={first.campaign.pk}"
    answer = rita_at_work.post(address(project, first.submission) + asked, {"decision": "accepted"})
    assert answer["Location"] == address(project) + asked
    for nonsense in ("x", "0", "9" * 30, "²"):
        assert rita_at_work.get(address(project) + f"?campaign={nonsense}").status_code == 404


def test_ones_own_words_are_shown_without_a_decision(project: Project, rita: User, rita_at_work: Client) -> None:
    own = demonstrate(project, labeler_of(Membership.objects.get(user=rita)))
    html = rita_at_work.get(address(project, own.submission)).content.decode()
    assert "somebody else reviews them" in html
    assert 'name="decision"' not in html
    assert rita_at_work.post(address(project, own.submission), {"decision": "accepted"}).status_code == 409


def test_who_may_come_in(project: Project, done: Demonstrated, owner: User, labeler: User, stranger: User) -> None:
    engineer = make_member(project, "emil", Role.ENGINEER)
    for page in (address(project), address(project, done.submission)):
        assert signed_in(stranger).get(page).status_code == 404
        assert [signed_in(one).get(page).status_code for one in (labeler, engineer, owner)] == [403, 403, 200]
        assert Client().get(page).status_code == 302
    for wrong in (labeler, engineer):
        assert signed_in(wrong).post(address(project, done.submission), {"decision": "accepted"}).status_code == 403
    assert signed_in(stranger).post(address(project, done.submission), {"decision": "accepted"}).status_code == 404
    elsewhere = Project.objects.get(slug="elsewhere")
    assert signed_in(stranger).get(address(elsewhere, done.submission)).status_code == 404
    ranking = submit_now(must_claim(make_campaign(project), done.assignment.labeler), ranked(1, 2, 3, 4)).submission
    assert signed_in(owner).get(address(project, ranking)).status_code == 404
    assert not Review.objects.exists()


def test_the_queue_costs_the_same_for_many(
    project: Project, lars: Labeler, rita_at_work: Client, django_assert_max_num_queries
) -> None:  # type: ignore[no-untyped-def]
    campaign = make_campaign(project, kind=WorkKind.DEMONSTRATION, tasks=30)
    for number in range(30):
        submit_now(must_claim(campaign, lars), Work(text=f"Text {number}"))
    with django_assert_max_num_queries(13):  # Two of them: questions that wait, and campaigns with gold.
        html = rita_at_work.get(address(project)).content.decode()
    assert html.count("lines__words") == 25
    assert "page 1 of 2" in html


def test_the_author_finds_the_remarks_where_they_write(
    project: Project, done: Demonstrated, labeler: User, rita: User
) -> None:
    send_back(done.submission, rita)
    client = signed_in(labeler)
    queue = client.get("/projects/helpdesk/").content.decode()
    assert "Returned with remarks" in queue
    assert "Say which apple." in queue
    task = f"/projects/helpdesk/tasks/{done.assignment.uuid}/"
    page = client.get(task).content.decode()
    assert "Say which apple." in page
    assert f"{TEXT}</textarea>" in page
    assert f'data-draft="{task}draft/"' in page
    form = {"key": str(uuid4()), "lease_token": str(done.assignment.lease_token), "corrects": "1", "text": "A Cox."}
    assert client.post(task, form).status_code == 302
    assert "Returned with remarks" not in client.get("/projects/helpdesk/").content.decode()


def test_the_page_comes_back_to_the_draft(project: Project, done: Demonstrated, labeler: User, rita: User) -> None:
    send_back(done.submission, rita)
    keep_draft(done.assignment, {"text": "A Cox, half"}, lease_token=done.assignment.lease_token)
    html = signed_in(labeler).get(f"/projects/helpdesk/tasks/{done.assignment.uuid}/").content.decode()
    assert "A Cox, half</textarea>" in html


def test_nothing_of_the_reviewer_is_told(project: Project, done: Demonstrated, labeler: User, rita: User) -> None:
    send_back(done.submission, rita)
    client = signed_in(labeler)
    for page in ("/projects/helpdesk/", f"/projects/helpdesk/tasks/{done.assignment.uuid}/"):
        assert "rita" not in client.get(page).content.decode()


def test_others_words_wait_for_the_reviewer_too(project: Project, rita: User) -> None:
    other = demonstrate(project, make_labeler(project, "ada"))
    assert list(waiting_for(rita, project)) == [other.submission]
