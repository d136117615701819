"""Where labelers disagree: one more is asked, or a reviewer decides. Nothing that was said is changed."""

import pytest

from labeling.asking_again import ask_again_in
from labeling.assigning import labeler_of
from labeling.datasets import records_of
from labeling.errors import WrongState
from labeling.models import Adjudication, Judgment, Project, Role, Submission, Task, User
from labeling.records import Kind
from labeling.reports.agreement import agreement_report
from labeling.reports.scope import Scope
from tests.conftest import make_member, signed_in
from tests.labeling.work import make_campaign, make_labeler, must_claim, ranked, recounted_slots, submit_now
from tests.reports.judged import ranked_campaign, rated_campaign

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]


def two_rank(project: Project, first: tuple[int, ...], second: tuple[int, ...], *, extra: int) -> Task:
    """A task that two people ranked on its pages; ranks are of the responses in the order of storage."""
    campaign = make_campaign(project, shown=len(first), overlap=2, extra=extra)
    for name, ranks in (("ada", first), ("ben", second)):
        assignment = must_claim(campaign, make_labeler(project, name))
        ids = list(campaign.tasks.get().shown.order_by("place").values_list("response_id", flat=True))
        submit_now(assignment, ranked(*(ranks[ids.index(pk)] for pk in assignment.order)))
    return campaign.tasks.get()


def test_a_task_on_which_two_disagree_is_given_to_a_third(project: Project) -> None:
    task = two_rank(project, (1, 2, 3), (3, 2, 1), extra=1)
    assert (task.overlap, task.open_slots, task.room, task.returned) == (3, 1, 1, True)
    assert task.open_slots == recounted_slots(task)
    third = must_claim(task.campaign, make_labeler(project, "cem"))
    submit_now(third, ranked(1, 2, 3))
    task.refresh_from_db()
    assert (task.overlap, task.open_slots) == (3, 0)
    found = agreement_report(Scope(project=project))
    assert (found.left_out, found.rankings) == (1, 2)


@pytest.mark.parametrize(
    ("first", "second", "extra"), [((1, 2, 3), (1, 3, 2), 1), ((1, 2), (1, 2), 1), ((1, 2), (2, 1), 0)]
)
def test_who_agrees_mostly_or_has_no_labelers_to_spare_is_left_alone(
    project: Project, first: tuple[int, ...], second: tuple[int, ...], extra: int
) -> None:
    task = two_rank(project, first, second, extra=extra)
    assert (task.overlap, task.open_slots, task.room) == (2, 0, 0)


def test_what_was_judged_before_is_asked_again_at_once_and_no_more_than_allowed(project: Project) -> None:
    campaign = ranked_campaign(project, [{"ada": (1, 2), "ben": (2, 1)}, {"ada": (1, 2), "ben": (1, 2)}])
    Task.objects.filter(campaign=campaign).update(open_slots=0)
    with pytest.raises(WrongState, match="Allow one"):
        ask_again_in(campaign)
    campaign.extra = 1
    campaign.save()
    assert [ask_again_in(campaign), ask_again_in(campaign)] == [1, 0]


@pytest.fixture
def disputed(project: Project) -> Task:
    return ranked_campaign(project, [{"ada": (1, 2), "ben": (2, 1)}]).tasks.get()


def address(task: Task) -> str:
    return f"/projects/helpdesk/campaigns/{task.campaign_id}/disputes/"


def test_a_reviewer_decides_and_what_was_said_stays(project: Project, disputed: Task) -> None:
    before = list(Judgment.objects.order_by("pk").values_list("submission", "response", "rank"))
    records = list(records_of(project, Kind.RANKING))
    client = signed_in(make_member(project, "rita", Role.REVIEWER))
    assert str(disputed.pk) in client.get(address(disputed)).content.decode()
    page = f"{address(disputed)}{disputed.pk}/"
    assert "secret-model" not in client.get(page).content.decode()
    answer = client.post(page, {"rank-A": "1", "rank-B": "2", "why": "A names the source."})
    assert answer.status_code == 302
    decided = Adjudication.objects.get()
    assert (decided.submission.counted, decided.why) == (False, "A names the source.")
    assert list(Judgment.objects.exclude(submission=decided.submission).order_by("pk").values_list(
        "submission", "response", "rank")) == before  # fmt: skip
    assert list(records_of(project, Kind.RANKING)) == records
    disputed.refresh_from_db()
    assert (disputed.overlap, recounted_slots(disputed)) == (2, 0)
    client.post(page, {"rank-A": "1", "rank-B": "1", "why": "Both do."})
    assert Adjudication.objects.count() == 2
    assert Submission.objects.filter(adjudication__isnull=False).count() == 2


def test_undecided_disputes_come_first_and_all_of_them_are_on_some_page(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("labeling.views.adjudicate.ROWS", 2)
    opposed = {"ada": (1, 2, 3), "ben": (3, 2, 1)}
    campaign = ranked_campaign(project, [opposed] * 3 + [{"ada": (1, 2, 3), "ben": (1, 3, 2)}] * 2)
    *worst, mild, other = campaign.tasks.order_by("position")
    rita = make_member(project, "rita", Role.REVIEWER)
    client = signed_in(rita)
    for task in worst:
        client.post(f"{address(task)}{task.pk}/", {"rank-A": "1", "rank-B": "2", "rank-C": "3", "why": "So."})
    first = client.get(address(mild)).content.decode()
    assert "On <b>5</b> tasks" in first
    assert "2 are not decided" in first
    assert all(f"disputes/{task.pk}/" in first for task in (mild, other))
    pages = [client.get(address(mild), {"page": page}).content.decode() for page in (1, 2, 3)]
    assert all(sum(f"disputes/{task.pk}/" in page for page in pages) == 1 for task in (*worst, mild, other))
    assert 'rel="next" href="?page=2"' in first


def test_of_a_campaign_of_ratings_it_is_said_that_nothing_is_decided(project: Project) -> None:
    campaign = rated_campaign(project, [{"ada": 1, "ben": 7}])
    html = signed_in(make_member(project, "rita", Role.REVIEWER)).get(address(campaign.tasks.get())).content.decode()
    assert "Adjudication is of rankings" in html
    assert "disagree on no task" not in html


@pytest.mark.parametrize(
    ("form", "says"),
    [
        ({"rank-A": "1", "rank-B": "2"}, "say why"),
        ({"why": "So."}, "rank"),
        ({"rank-A": "x", "why": "So."}, "whole number"),
        ({"rank-Z": "1", "why": "So."}, "response"),
    ],
)
def test_a_decision_without_a_reason_or_a_meaning_is_refused(
    project: Project, disputed: Task, form: dict[str, str], says: str
) -> None:
    client = signed_in(make_member(project, "rita", Role.REVIEWER))
    answer = client.post(f"{address(disputed)}{disputed.pk}/", form)
    assert answer.status_code == 422
    assert says in answer.content.decode()
    assert not Adjudication.objects.exists()


def test_who_judged_it_does_not_decide_it(project: Project) -> None:
    rita = make_member(project, "rita", Role.REVIEWER)
    campaign = make_campaign(project, shown=2)
    submit_now(must_claim(campaign, labeler_of(rita.memberships.get())), ranked(1, 2))
    task = campaign.tasks.get()
    answer = signed_in(rita).post(f"{address(task)}{task.pk}/", {"rank-A": "1", "rank-B": "2", "why": "Mine."})
    assert answer.status_code == 403
    assert not Adjudication.objects.exists()


def test_labelers_are_refused_and_strangers_find_nothing(labeler: User, stranger: User, disputed: Task) -> None:
    for user, status in ((labeler, 403), (stranger, 404)):
        client = signed_in(user)
        for page in (address(disputed), f"{address(disputed)}{disputed.pk}/"):
            assert client.get(page).status_code == status
            assert client.post(f"{address(disputed)}{disputed.pk}/", {"why": "x"}).status_code == status
        assert client.post(f"/projects/helpdesk/campaigns/{disputed.campaign_id}/ask-again/").status_code == status
