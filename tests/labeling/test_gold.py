"""Gold and hidden repeats are handed out beside the queue at their rate, and nothing tells them apart."""

import json
import re

import pytest
from django.test import Client

from labeling import beside
from labeling.assigning import claim, labeler_of
from labeling.beside import due_at
from labeling.errors import AlreadySubmitted, InvalidWork, NotReviewable
from labeling.gold import Gold, order_of, responses_of, retire_gold, write_gold
from labeling.models import (
    Assignment,
    Campaign,
    ClaimCursor,
    Delivery,
    GoldAnswer,
    Labeler,
    Project,
    Role,
    Submission,
    Task,
    User,
)
from labeling.releasing import release_expired
from labeling.standing import left_nearby
from labeling.webhooks import make_webhook
from tests.conftest import make_member, signed_in
from tests.labeling.conftest import Desk
from tests.labeling.work import (
    let_lapse,
    make_campaign,
    make_labeler,
    must_claim,
    ranked,
    recounted_slots,
    skip_now,
    submit_now,
)

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]


@pytest.fixture
def reviewer(project: Project) -> User:
    return make_member(project, "rita", Role.REVIEWER)


@pytest.fixture
def gilded(project: Project, reviewer: User) -> Campaign:
    """Eight tasks, the first of them gold, of which every fourth that is handed out is to be gold."""
    campaign = make_campaign(project, tasks=8, overlap=2, gold_rate=25)
    write_gold(first_task(campaign), reviewer, Gold(order="A > D", ratings={("A", "overall"): 6}))
    return campaign


def first_task(campaign: Campaign) -> Task:
    task = campaign.tasks.order_by("position").first()
    assert task is not None
    return task


def do_next(campaign: Campaign, labeler: Labeler) -> Assignment:
    assignment = must_claim(campaign, labeler)
    submit_now(assignment, ranked(1, 2, 3, 4))
    return assignment


@pytest.mark.parametrize(("gold", "repeats"), [(5, 0), (4, 3), (25, 25), (7, 11), (1, 0)])
def test_of_a_hundred_tasks_so_many_are_due_whatever_the_seed(gold: int, repeats: int) -> None:
    campaign = Campaign(kind="ranking", gold_rate=gold, repeat_rate=repeats)
    places = set()
    for seed in range(3):
        due = [due_at(campaign, seed=seed, number=number) for number in range(300)]
        assert [due.count(kind) for kind in ("gold", "repeat")] == [3 * gold, 3 * repeats]
        assert due == [due_at(campaign, seed=seed, number=number) for number in range(300)]
        places.add(tuple(due))
    assert len(places) == 3


def test_gold_takes_no_slot_and_the_cursor_stays(gilded: Campaign, project: Project) -> None:
    ada = make_labeler(project, "ada")
    handed = [do_next(gilded, ada) for _ in range(4)]
    [gold] = [one for one in handed if one.task == first_task(gilded)]
    assert gold.occurrence == 1
    assert [(one.task.position, one.occurrence) for one in handed if one != gold] == [(1, 0), (2, 0), (3, 0)]
    assert (first_task(gilded).overlap, first_task(gilded).open_slots) == (0, 0)
    for task in gilded.tasks.all():
        assert task.open_slots == recounted_slots(task)


def test_gold_is_met_once_by_each_and_by_all(gilded: Campaign, project: Project) -> None:
    met = []
    for name in ("ada", "ben", "cem"):
        labeler = make_labeler(project, name)
        while (one := claim(gilded, labeler)) is not None:
            submit_now(one, ranked(1, 2, 3, 4))
        met.append(labeler.assignments.filter(task=first_task(gilded)).count())
    assert met[:2] == [1, 1]
    assert max(met) == 1


def test_gold_in_hand_lapses_and_is_skipped_without_giving_back_a_slot(gilded: Campaign, project: Project) -> None:
    for name, let_go in (("ada", let_lapse), ("ben", skip_now)):
        labeler = make_labeler(project, name)
        while (one := must_claim(gilded, labeler)).occurrence == 0:
            submit_now(one, ranked(1, 2, 3, 4))
        let_go(one)
        release_expired()
        assert (first_task(gilded).overlap, first_task(gilded).open_slots) == (0, 0)


def test_gold_that_lapsed_still_counts_for_its_labeler(gilded: Campaign, project: Project) -> None:
    ada = make_labeler(project, "ada")
    while (one := must_claim(gilded, ada)).occurrence == 0:
        submit_now(one, ranked(1, 2, 3, 4))
    let_lapse(one)
    release_expired()
    assert submit_now(one, ranked(1, 2, 3, 4)).submission.counted


@pytest.mark.threat(13)
def test_a_page_of_gold_is_like_any_other(gilded: Campaign, project: Project, labeler: User) -> None:
    shapes, left = {}, []
    worker = labeler_of(labeler.memberships.get())
    for _ in range(4):
        assignment = must_claim(gilded, worker)
        desk = Desk(signed_in(labeler), gilded, assignment)
        html = desk.client.get(desk.page).content.decode()
        left.append(left_nearby(gilded, worker))
        for told in (
            str(assignment.uuid),
            str(assignment.lease_token),
            *re.findall(r"\d+ today, \d+ left|task \d+", html),
        ):
            html = html.replace(told, "")
        html = re.sub(r'value="[0-9a-f-]{36}"|value="\w{64}"|Text \d of prompt \d+|What is \d+ times two', "", html)
        shapes[assignment.occurrence] = html
        submit_now(assignment, ranked(1, 2, 3, 4))
    assert shapes[1] == shapes[0]
    # Each page takes one off what is left, whichever kind it was.
    counts = [int(words.split()[0]) for words in left]
    assert counts == list(range(counts[0], counts[0] - 4, -1))


def test_my_work_calls_gold_neither_surplus_nor_anything_else(
    gilded: Campaign, project: Project, labeler: User
) -> None:
    worker = labeler_of(labeler.memberships.get())
    for _ in range(4):
        do_next(gilded, worker)
    [row] = signed_in(labeler).get("/projects/helpdesk/my-work/").context["rows"]
    assert (row["submissions"], row["counting"], row["surplus"]) == (4, 4, 0)


def test_a_repeat_comes_after_many_others_and_its_original_stays(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(beside, "REPEAT_AFTER", 3)
    campaign = make_campaign(project, tasks=12, overlap=2, repeat_rate=25, correction_minutes=0)
    ada = make_labeler(project, "ada")
    handed = [do_next(campaign, ada) for _ in range(9)]
    again = [one for one in handed if one.occurrence]
    assert again
    first = Assignment.objects.get(task=again[0].task, labeler=ada, occurrence=0)
    assert handed.index(again[0]) - handed.index(first) > 3
    assert sorted(again[0].order) == sorted(first.order)
    Campaign.objects.update(correction_minutes=60)
    with pytest.raises(AlreadySubmitted):
        submit_now(first, ranked(2, 1, 3, 4), corrects=1)
    submit_now(again[0], ranked(2, 1, 3, 4), corrects=1)
    assert Submission.objects.filter(assignment=first).count() == 1
    for task in campaign.tasks.all():
        assert task.open_slots == recounted_slots(task)


def test_what_can_still_be_corrected_is_not_repeated_yet(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(beside, "REPEAT_AFTER", 2)
    campaign = make_campaign(project, tasks=9, repeat_rate=25, correction_minutes=60)
    ada = make_labeler(project, "ada")
    assert not any(do_next(campaign, ada).occurrence for _ in range(9))


def test_gold_that_is_answered_completes_no_task(gilded: Campaign, project: Project, owner: User) -> None:
    make_webhook(project, by=owner, url="https://hooks.example.org/", events=["task.completed"])
    for name in ("ada", "ben"):
        labeler = make_labeler(project, name)
        while claim(gilded, labeler) is not None:
            do_next(gilded, labeler)
    told = [json.loads(one.body)["data"]["task"] for one in Delivery.objects.filter(event="task.completed")]
    assert sorted(told) == sorted(task.pk for task in gilded.tasks.all() if task != first_task(gilded))


def test_who_wrote_the_gold_is_not_handed_it(gilded: Campaign, reviewer: User) -> None:
    worker = labeler_of(reviewer.memberships.get())
    while (one := claim(gilded, worker)) is not None:
        assert one.task != first_task(gilded)
        submit_now(one, ranked(1, 2, 3, 4))


@pytest.mark.parametrize(
    ("gold", "says"),
    [
        (Gold(), "Nothing is said yet"),
        (Gold(order="A > B, B > C, C > A"), "circle: A > B > C > A"),
        (Gold(order="A > A"), "circle"),
        (Gold(order="A over B"), "no order"),
        (Gold(order="A > E"), "There is no response E"),
        (Gold(ratings={("A", "overall"): 8}), "from 1 to 7"),
        (Gold(order="A > B > C", ratings={("A", "overall"): 1, ("C", "overall"): 7}), "A is rated 1 and C 7 (overall)"),
        (Gold(flags={("A", "rude"): True}), "not a flag"),
        (Gold(order="A > B", why="a\0b"), "NUL"),
    ],
)
def test_gold_that_says_nothing_or_contradicts_itself_is_refused(
    project: Project, reviewer: User, gold: Gold, says: str
) -> None:
    task = first_task(make_campaign(project))
    with pytest.raises(InvalidWork, match=re.escape(says)):
        write_gold(task, reviewer, gold)
    assert not GoldAnswer.objects.exists()
    assert Task.objects.get().open_slots == 1


def test_a_partial_order_is_kept_by_responses_and_read_back(project: Project, reviewer: User) -> None:
    task = first_task(make_campaign(project))
    written = write_gold(task, reviewer, Gold(order="b>c > d; A > d", flags={("B", "hallucination"): False}))
    a, b, c, d = responses_of(task)
    assert written.above == [[b, c], [c, d], [a, d]]
    assert written.judged == {str(b): {"flags": {"hallucination": False}}}
    assert order_of(written, responses_of(task)) == "B > C, C > D, A > D"


def test_who_was_handed_a_task_writes_no_gold_for_it(project: Project, reviewer: User) -> None:
    campaign = make_campaign(project)
    assignment = must_claim(campaign, labeler_of(reviewer.memberships.get()))
    with pytest.raises(NotReviewable, match="left to others"):
        write_gold(assignment.task, reviewer, Gold(order="A > B"))


def test_what_is_in_hand_when_a_task_becomes_gold_counts_and_others_are_not_asked(
    project: Project, reviewer: User
) -> None:
    campaign = make_campaign(project, overlap=3)
    ada, ben = must_claim(campaign, make_labeler(project, "ada")), must_claim(campaign, make_labeler(project, "ben"))
    write_gold(first_task(campaign), reviewer, Gold(order="A > B"))
    assert submit_now(ada, ranked(1, 2, 3, 4)).submission.counted
    skip_now(ben)
    task = first_task(campaign)
    assert (task.overlap, task.open_slots, recounted_slots(task)) == (1, 0, 0)
    assert claim(campaign, make_labeler(project, "cem")) is None


def test_gold_that_is_retired_goes_back_into_the_queue_for_those_who_have_not_met_it(
    gilded: Campaign, project: Project
) -> None:
    ada = make_labeler(project, "ada")
    for _ in range(4):
        do_next(gilded, ada)
    retire_gold(first_task(gilded))
    task = first_task(gilded)
    assert (task.aside, task.overlap, task.open_slots) == ("", 2, 2)
    assert must_claim(gilded, make_labeler(project, "ben")).task == task
    assert must_claim(gilded, ada).task != task


def test_the_pages_of_gold_are_for_reviewers_and_name_no_model(
    project: Project, gilded: Campaign, reviewer: User, labeler: User, stranger: User
) -> None:
    listed = f"/projects/helpdesk/campaigns/{gilded.pk}/aside/"
    form = f"{listed}{first_task(gilded).pk}/"
    for page in (listed, form):
        assert signed_in(stranger).get(page).status_code == 404
        assert signed_in(labeler).get(page).status_code == 403
        html = signed_in(reviewer).get(page).content.decode()
        assert "secret-model" not in html
    assert 'value="A &gt; D"' in html
    assert '<option value="6" selected>' in html


def test_a_reviewer_writes_gold_from_a_task_that_nobody_was_handed(project: Project, reviewer: User) -> None:
    campaign = make_campaign(project, tasks=2)
    handed = must_claim(campaign, make_labeler(project, "ada"))
    client: Client = signed_in(reviewer)
    form = client.post(f"/projects/helpdesk/campaigns/{campaign.pk}/aside/").url
    assert not form.endswith(f"/{handed.task_id}/")
    wrong = client.post(form, {"order": "A > Z", "rating-B-overall": "2"})
    assert wrong.status_code == 422
    assert 'value="A &gt; Z"' in wrong.content.decode()
    assert (
        client.post(form, {"order": "A > B", "rating-B-overall": "2", "flag-A-hallucination": "no"}).status_code == 302
    )
    made = GoldAnswer.objects.get()
    assert (made.author, made.task.aside) == (reviewer, "gold")
    back = client.post(f"{form}back/")
    assert back.status_code == 302
    assert Task.objects.get(pk=made.task_id).aside == ""


@pytest.mark.threat(13)
def test_nobody_can_work_out_the_seed_from_what_a_page_shows(project: Project) -> None:
    campaign = make_campaign(project, tasks=2, gold_rate=5)
    for name in ("ada", "ben"):
        must_claim(campaign, make_labeler(project, name))
    seeds = list(ClaimCursor.objects.values_list("seed", flat=True))
    assert len(set(seeds)) == 2
    assert min(seeds) > 2**32
