"""The tasks of a campaign, and one task with all that was said of it."""

from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from labeling.browsing.edition import edition_of
from labeling.checking import Said, Work
from labeling.models import (
    Assignment,
    Campaign,
    Cohort,
    Labeler,
    Project,
    Response,
    Review,
    Submission,
    Task,
    User,
    WorkKind,
)
from labeling.skipping import SKIP_REASONS
from labeling.views import campaign_tasks
from tests.conftest import signed_in
from tests.labeling.work import make_campaign, make_labeler, must_claim, ranked, skip_now, submit_now

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]


@pytest.fixture
def ines(researcher: User) -> Client:
    return signed_in(researcher)


def list_of(campaign: Campaign) -> str:
    return reverse("campaign_tasks", args=["helpdesk", campaign.pk])


def page_of(task: Task) -> str:
    return reverse("campaign_task", args=["helpdesk", task.campaign_id, task.pk])


def text_of(answer: Any) -> str:
    assert answer.status_code == 200
    return " ".join(unescape(answer.content.decode()).split())


def say(campaign: Campaign, name: str, *ranks: int | None, **more: Any) -> Submission:
    """A new labeler ranks the responses in the order of storage, whatever order was shown to them."""
    assignment = must_claim(campaign, make_labeler(campaign.project, name))
    by_response = dict(zip(sorted(assignment.order), ranks, strict=True))
    return submit_now(assignment, ranked(*(by_response[pk] for pk in assignment.order)), **more).submission


class TestWhoMaySeeThem:
    def test_a_stranger_meets_404_and_a_labeler_403(self, project: Project, stranger: User, labeler: User) -> None:
        campaign = make_campaign(project)
        addresses = [list_of(campaign), page_of(campaign.tasks.get())]
        assert [signed_in(stranger).get(address).status_code for address in addresses] == [404, 404]
        assert [signed_in(labeler).get(address).status_code for address in addresses] == [403, 403]

    def test_a_task_is_found_through_its_own_campaign_and_project_alone(self, project: Project, ines: Client) -> None:
        one, other = make_campaign(project), make_campaign(project)
        foreign = make_campaign(Project.objects.create(name="Third", slug="third"))
        assert ines.get(f"{list_of(one)}{other.tasks.get().pk}/").status_code == 404
        assert ines.get(list_of(foreign)).status_code == 404
        assert ines.get(f"{list_of(foreign)}{foreign.tasks.get().pk}/").status_code == 404


class TestTheList:
    def test_it_says_of_each_task_how_far_it_is(self, project: Project, ines: Client) -> None:
        campaign = make_campaign(project, tasks=3, overlap=2)
        say(campaign, "a", 1, 2, 3, 4)
        say(campaign, "b", 1, 2, 3, 4)
        skip_now(must_claim(campaign, make_labeler(project, "c")))
        must_claim(campaign, make_labeler(project, "d"))
        page = text_of(ines.get(list_of(campaign)))
        assert "<b>1</b> of 3 tasks is at full overlap." in page
        assert "2 of 2 submitted" in page
        assert "1 skipped" in page
        assert "1 at work" in page
        assert "came back" in page

    def test_it_is_narrowed_by_state(self, project: Project, ines: Client) -> None:
        campaign = make_campaign(project, tasks=3, overlap=2)
        say(campaign, "a", 1, 2, 3, 4)
        say(campaign, "b", 1, 2, 3, 4)
        for name in ("a", "b"):
            labeler = Labeler.objects.get(user__username=name)
            assignment = must_claim(campaign, labeler)
            if name == "a":
                submit_now(assignment, ranked(1, 2, 3, 4))

        def listed(state: str) -> list[int]:
            return [task.position for task in ines.get(list_of(campaign), {"state": state}).context["lines"]]

        assert [listed(state) for state in ("whole", "begun", "untouched", "")] == [[0], [1], [2], [0, 1, 2]]
        assert ines.get(list_of(campaign), {"state": "x"}).status_code == 400

    def test_it_comes_in_pages_at_the_same_few_queries(
        self, project: Project, ines: Client, monkeypatch: pytest.MonkeyPatch, django_assert_max_num_queries: Any
    ) -> None:
        monkeypatch.setattr(campaign_tasks, "ROWS", 4)
        campaign = make_campaign(project, tasks=9)
        with django_assert_max_num_queries(11):
            answer = ines.get(list_of(campaign))
        assert [task.position for task in answer.context["lines"]] == [0, 1, 2, 3]
        last = ines.get(list_of(campaign), {"page": "99"})
        assert [task.position for task in last.context["lines"]] == [8]
        assert ines.get(list_of(campaign), {"page": "x" * 400}).status_code == 200


class TestTheEdition:
    def test_every_labelers_rank_stands_beside_the_response_it_is_of(self, project: Project, ines: Client) -> None:
        campaign = make_campaign(project, overlap=2, shown=3)
        say(campaign, "a", 1, 2, 2)
        say(campaign, "b", 3, 2, 1)
        edition = edition_of(campaign.tasks.get())
        assert [[cell.rank for _, cell in row.cells] for row in edition.rows] == [[1, 3], [2, 2], [2, 1]]
        assert [voice.now.order for voice in edition.voices] == ["A (BC)", "C B A"]
        page = text_of(ines.get(page_of(campaign.tasks.get())))
        assert "A (BC)" in page
        assert "secret-model-13b" in page

    def test_the_order_in_which_each_met_the_responses_is_told(self, project: Project) -> None:
        campaign = make_campaign(project, shown=3)
        submission = say(campaign, "a", 1, 2, 3)
        Assignment.objects.update(order=sorted(submission.assignment.order, reverse=True))
        edition = edition_of(campaign.tasks.get())
        assert edition.voices[0].seen == "C B A"
        assert [cell.shown_as for _, cell in (row.cells[0] for row in edition.rows)] == ["C", "B", "A"]

    def test_two_labelers_who_order_two_of_three_pairs_alike_agree_to_two_thirds(
        self, project: Project, ines: Client
    ) -> None:
        campaign = make_campaign(project, overlap=2, shown=3)
        say(campaign, "a", 1, 2, 3)
        say(campaign, "b", 2, 1, 3)
        edition = edition_of(campaign.tasks.get())
        assert edition.agreement.value == pytest.approx(2 / 3)
        assert "<b>67 %</b> of pairs alike" in text_of(ines.get(page_of(campaign.tasks.get())))

    def test_what_does_not_count_is_shown_marked_and_left_out_of_the_agreement(
        self, project: Project, ines: Client
    ) -> None:
        campaign = make_campaign(project, overlap=4, shown=2)
        say(campaign, "a", 1, 2)
        say(campaign, "b", 1, 2)
        surplus, withdrawn = say(campaign, "c", 2, 1), say(campaign, "d", 2, 1)
        Submission.objects.filter(pk=surplus.pk).update(counted=False)
        Submission.objects.filter(pk=withdrawn.pk).update(withdrawn_at=withdrawn.submitted_at)
        edition = edition_of(campaign.tasks.get())
        assert edition.agreement.value == 1.0
        assert [voice.counts for voice in edition.voices] == [True, True, False, False]
        page = text_of(ines.get(page_of(campaign.tasks.get())))
        assert "surplus, not counted" in page
        assert ">withdrawn " in page
        assert "2 of 4 submissions count" in page

    def test_a_hidden_repeat_is_marked_and_is_no_second_labeler(self, project: Project, ines: Client) -> None:
        campaign = make_campaign(project, overlap=2, shown=2)
        first = say(campaign, "a", 1, 2)
        again = Assignment.objects.create(
            task=campaign.tasks.get(), campaign=campaign, labeler=first.assignment.labeler, occurrence=1,
            state="submitted", order=first.assignment.order,
        )  # fmt: skip
        repeat = Submission.objects.create(
            assignment=again, number=1, key=first.key, counted=True, guideline=campaign.guideline,
            submitted_at=first.submitted_at,
        )  # fmt: skip
        Assignment.objects.filter(pk=again.pk).update(current_submission=repeat)
        assert edition_of(campaign.tasks.get()).counting == 1
        assert "hidden repeat 1" in text_of(ines.get(page_of(campaign.tasks.get())))

    def test_work_on_gold_is_called_gold_and_no_repeat(self, project: Project, ines: Client) -> None:
        campaign = make_campaign(project, overlap=2, shown=2)
        Task.objects.filter(campaign=campaign).update(aside=Task.Aside.GOLD)
        assignment = Assignment.objects.create(
            task=campaign.tasks.get(), campaign=campaign, labeler=make_labeler(project, "a"), occurrence=1,
            order=list(campaign.tasks.get().shown.values_list("response_id", flat=True)),
            lease_until=datetime.now(UTC) + timedelta(hours=1),
        )  # fmt: skip
        submit_now(assignment, ranked(1, 2))
        page = text_of(ines.get(page_of(campaign.tasks.get())))
        assert "as gold" in page
        assert "hidden repeat" not in page

    def test_a_correction_is_the_next_number_and_what_was_said_before_stays(
        self, project: Project, ines: Client
    ) -> None:
        campaign = make_campaign(project, shown=2)
        first = say(campaign, "a", 1, 2)
        submit_now(Assignment.objects.get(), ranked(1, 1), corrects=1)
        (voice,) = edition_of(campaign.tasks.get()).voices
        assert (voice.now.submission.number, voice.now.order) == (2, "(AB)")
        assert [said.submission.pk for said in voice.earlier] == [first.pk]
        page = text_of(ines.get(page_of(campaign.tasks.get())))
        assert "What was said before (1)" in page
        assert "replaced by a correction" in page

    def test_ratings_flags_notes_time_and_guideline_are_shown(self, project: Project, ines: Client) -> None:
        campaign = make_campaign(project, shown=2)
        assignment = must_claim(campaign, make_labeler(project, "a"))
        work = Work(
            responses={
                "A": Said(rank=1, ratings={"overall": 6}, flags={"hallucination": True, "misses_task": False}),
                "B": Said(rank=2, note="Too <b>short</b>"),
            },
            note="On the whole",
        )
        submit_now(assignment, work)
        Submission.objects.update(active_ms=192_000)
        page = text_of(ines.get(page_of(campaign.tasks.get())))
        for part in ("Overall quality <b>6</b>", "Hallucination", "1 × no", "On the whole", "3 min 12 s at work"):
            assert part in page
        assert "guideline version 1" in page
        assert "Too &lt;b&gt;short" in ines.get(page_of(campaign.tasks.get())).content.decode()

    def test_who_skipped_and_why_and_who_holds_it(self, project: Project, ines: Client) -> None:
        campaign = make_campaign(project, overlap=2)
        skip_now(must_claim(campaign, make_labeler(project, "a")))
        must_claim(campaign, make_labeler(project, "b"))
        page = text_of(ines.get(page_of(campaign.tasks.get())))
        assert "Nobody has said anything of this task yet." in page
        assert Assignment.objects.get(state="skipped").skip_reason in page
        assert SKIP_REASONS
        assert "at work until" in page

    def test_simulated_and_imported_labelers_say_so_and_members_do_not(self, project: Project, ines: Client) -> None:
        campaign = make_campaign(project, overlap=3, shown=2)
        for name, source in (("a", "member"), ("b", "imported"), ("c", "simulated")):
            submission = say(campaign, name, 1, 2)
            Labeler.objects.filter(pk=submission.assignment.labeler_id).update(
                source=source, **({} if source == "member" else {"membership": None, "user": None})
            )
        page = text_of(ines.get(page_of(campaign.tasks.get())))
        assert page.count(">imported<") == page.count(">simulated<") == 2
        assert ">member<" not in page

    def test_a_demonstration_is_shown_with_its_review(self, project: Project, ines: Client, owner: User) -> None:
        campaign = make_campaign(project, kind=WorkKind.DEMONSTRATION)
        submission = submit_now(
            must_claim(campaign, make_labeler(project, "a")), Work(text="My *own* words")
        ).submission
        Review.objects.create(submission=submission, reviewer=owner, state="returned", remarks="Please say why.")
        page = text_of(ines.get(page_of(campaign.tasks.get())))
        assert "My <em>own</em> words" in page
        assert "Returned</b> by olga" in page
        assert "Please say why." in page

    def test_nine_responses_and_five_labelers_cost_the_same_queries(
        self, project: Project, ines: Client, django_assert_max_num_queries: Any
    ) -> None:
        campaign = make_campaign(project, shown=9, overlap=5)
        for name in "abcde":
            say(campaign, name, *range(1, 10))
        Response.objects.update(text="<script>alert(1)</script> [x](javascript:alert(2))")
        with django_assert_max_num_queries(19):
            answer = ines.get(page_of(campaign.tasks.get()))
        page = answer.content.decode()
        assert "<script>alert" not in page
        assert 'href="javascript' not in page


class TestOfACampaignThatIsKeptForARule:
    """A pseudonym beside work that is kept for a background answer would tell what somebody answered."""

    @pytest.fixture
    def kept(self, project: Project) -> Campaign:
        campaign = make_campaign(project, overlap=3)
        names = [say(campaign, name, 1, 2, 3, 4).assignment.labeler.pseudonym for name in ("ada", "bea")]
        skip_now(must_claim(campaign, make_labeler(project, "cleo")), SKIP_REASONS[0])
        assert len(set(names)) == 2
        return campaign

    def narrowed(self, campaign: Campaign, rule: dict[str, list[str]]) -> Campaign:
        campaign.cohort = Cohort.objects.create(project=campaign.project, name="Young", rule=rule)
        campaign.save()
        return campaign

    def test_labelers_are_numbered_within_the_task(self, kept: Campaign, ines: Client) -> None:
        self.narrowed(kept, {"age": ["young"]})
        names = list(Labeler.objects.filter(assignments__campaign=kept).values_list("pseudonym", flat=True))
        assert len(names) == 3
        for address in (page_of(kept.tasks.get()), reverse("campaign", args=["helpdesk", kept.pk])):
            said = text_of(ines.get(address))
            assert not [name for name in names if name in said], address
            for number in (1, 2, 3):
                assert f"labeler {number}" in said, address

    def test_of_a_cohort_by_hand_they_have_their_pseudonyms(self, kept: Campaign, ines: Client) -> None:
        self.narrowed(kept, {})
        said = text_of(ines.get(page_of(kept.tasks.get())))
        for name in Labeler.objects.filter(assignments__campaign=kept).values_list("pseudonym", flat=True):
            assert name in said
        assert "labeler 1" not in said
