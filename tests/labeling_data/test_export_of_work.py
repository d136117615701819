"""What members do in a campaign of imported work goes out beside what came in, and into the next project."""

from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from django.core.management import call_command
from django.utils import timezone

from labeling.adjudicating import adjudicate
from labeling.assigning import claim, labeler_of
from labeling.checking import LETTERS, Said, Work
from labeling.datasets import Selection, lines_of, records_of
from labeling.importing import import_file
from labeling.models import Assignment, Campaign, Membership, Project, Response, Role, Submission, User
from labeling.records import Kind, Record
from labeling.submitting import submit
from tests.conftest import make_member
from tests.labeling_data import samples
from tests.labeling_data.samples import prompt_record, write

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]


@pytest.fixture
def imported(project: Project, tmp_path: Path) -> Project:
    lines = [samples.candidates(), prompt_record("p9", "Name a tree.", split="train")]
    assert not import_file(project, write(tmp_path / "f", *lines), name="set").refused
    return project


def work_on(project: Project, labeler: User, *options: str) -> tuple[Assignment, Campaign]:
    call_command("open_campaign", project.slug, "--name", "ours", *options)
    campaign = Campaign.objects.get(name="ours")
    assignment = claim(campaign, labeler_of(Membership.objects.get(user=labeler)))
    assert assignment is not None
    # Nobody was at work for longer than they had the task.
    Assignment.objects.filter(pk=assignment.pk).update(created_at=timezone.now() - timedelta(minutes=1))
    return assignment, campaign


def hand_in(assignment: Assignment, work: Work) -> None:
    assert submit(assignment, work, key=uuid4(), lease_token=assignment.lease_token).submission.counted


def only(project: Project, kind: Kind, campaign: Campaign) -> Record:
    (record,) = records_of(project, kind, Selection(campaign=campaign))
    return record


def test_a_ranking_made_here_goes_out_with_everything_said(imported: Project, labeler: User) -> None:
    assignment, campaign = work_on(imported, labeler, "--from-imported", "set")
    ranks = {"Paris.": 1, "It is Paris.": 1, "Rome.": 3}
    letter_of = {
        Response.objects.get(pk=pk).text: letter for letter, pk in zip(LETTERS, assignment.order, strict=False)
    }
    said = {
        letter_of[text]: Said(rank=rank, ratings={"overall": 8 - 2 * rank}, flags={"hallucination": rank == 3})
        for text, rank in ranks.items()
    }
    hand_in(assignment, Work(responses=said, note="easy", active_ms=1))
    record = only(imported, Kind.RANKING, campaign)
    assert [response.text for response in record.responses] == ["Paris.", "It is Paris.", "Rome."]
    (judged,) = record.judged
    assert judged.labeler == assignment.labeler.pseudonym
    assert judged.ranks == (1, 1, 2)
    assert [one["overall"] for one in judged.ratings] == [6, 6, 2]
    assert [one["hallucination"] for one in judged.flags] == [False, False, True]
    places = [shown.response_id for shown in assignment.task.shown.all()]
    assert [places[place] for place in judged.order] == assignment.order
    assert (judged.note, judged.active_ms) == ("easy", 1)
    assert len(list(records_of(imported, Kind.COMPARISON, Selection(campaign=campaign, ties="drop")))) == 2


def test_a_demonstration_made_here_goes_out(imported: Project, labeler: User) -> None:
    assignment, campaign = work_on(imported, labeler, "--kind", "demonstration", "--tasks", "5")
    hand_in(assignment, Work(text="An answer."))
    record = only(imported, Kind.DEMONSTRATION, campaign)
    assert (record.responses[0].text, record.responses[0].labeler) == ("An answer.", assignment.labeler.pseudonym)


def test_a_demonstration_that_was_returned_goes_out_where_it_is_asked_for_only(
    imported: Project, labeler: User
) -> None:
    assignment, campaign = work_on(imported, labeler, "--kind", "demonstration", "--tasks", "5")
    hand_in(assignment, Work(text="An answer."))
    Response.objects.filter(submission__isnull=False).update(review_state="returned")

    def found(**more: str) -> int:
        return len(list(records_of(imported, Kind.DEMONSTRATION, Selection(campaign=campaign, **more))))

    assert (found(), found(review="returned"), found(review="accepted")) == (0, 1, 0)


def test_a_rating_made_here_goes_out(imported: Project, labeler: User) -> None:
    assignment, campaign = work_on(imported, labeler, "--kind", "rating", "--from-imported", "set")
    scales = dict.fromkeys(("overall", "appropriate", "helpful", "on_topic"), 5)
    hand_in(assignment, Work(responses={"A": Said(ratings=scales)}))
    (judged,) = only(imported, Kind.RATING, campaign).judged
    assert (judged.ratings, judged.flags) == ((scales,), ({},))


def test_work_made_here_goes_through_another_project_unchanged(
    imported: Project, labeler: User, tmp_path: Path
) -> None:
    assignment, _ = work_on(imported, labeler, "--from-imported", "set")
    hand_in(assignment, Work(responses={letter: Said(rank=place) for place, letter in enumerate("ABC", start=1)}))
    elsewhere = Project.objects.create(name="Empty", slug="empty")
    for kind in (Kind.PROMPT, Kind.CANDIDATES, Kind.RANKING):
        path = tmp_path / kind
        path.write_bytes(b"".join(lines_of(imported, kind)))
        report = import_file(elsewhere, path, name="moved")
        assert not report.refused, report.reasons
        assert b"".join(lines_of(elsewhere, kind)) == path.read_bytes()
        again = import_file(imported, path, name="back", skip_bad=True)
        assert again.new["tasks"] == 0


def test_the_newest_decision_goes_out_where_it_is_asked_for(imported: Project, labeler: User) -> None:
    assignment, campaign = work_on(imported, labeler, "--from-imported", "set")
    hand_in(assignment, Work(responses={"A": Said(rank=1), "B": Said(rank=2), "C": Said(rank=3)}))
    for name, ranks in (("rita", (1, 2, 2)), ("roy", (3, 2, 1))):
        reviewer = make_member(imported, name, Role.REVIEWER).memberships.get()
        decided = Work(responses={letter: Said(rank=rank) for letter, rank in zip("ABC", ranks, strict=True)})
        adjudicate(assignment.task, reviewer, decided, why=f"{name} read both.")
    assert [one.aside for one in only(imported, Kind.RANKING, campaign).judged] == [""]
    (record,) = records_of(imported, Kind.RANKING, Selection(campaign=campaign, adjudicated=True))
    assert [(one.aside, one.why) for one in record.judged] == [("", ""), ("adjudication", "roy read both.")]
    assert record.judged[1].ranks == (3, 2, 1)
    pairs = list(records_of(imported, Kind.COMPARISON, Selection(campaign=campaign, adjudicated=True)))
    assert [pair.judged[0].aside for pair in pairs] == [""] * 3 + ["adjudication"] * 3
    Submission.objects.filter(adjudication__why__startswith="roy").update(withdrawn_at=timezone.now())
    (record,) = records_of(imported, Kind.RANKING, Selection(campaign=campaign, adjudicated=True))
    assert [one.why for one in record.judged] == ["", "rita read both."]
