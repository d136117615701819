"""Freezing records: what counts goes in, nothing else, and the same data gives the same bytes."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from labeling.adjudicating import adjudicate
from labeling.checking import Said, Work
from labeling.models import Cohort, CohortMember, Project, Prompt, Response, Role, Submission, Task, User, WorkKind
from labeling.reviewing import review
from tests.conftest import make_member
from tests.labeling.work import make_campaign, make_labeler, must_claim, ranked, submit_now, written
from tests.training.making import demonstrations, generator, prompt, rank_in_order, rankings, writer
from training.errors import SnapshotRefused
from training.models import Snapshot
from training.rlhf.contract.records import KINDS, read_rows
from training.snapshot_rows import Query
from training.snapshots import KIND_OF_ROWS, freeze, path_of, read_query

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]


def rows(snapshot: Snapshot) -> list[dict[str, Any]]:
    """The rows, after the reader of the stages has accepted each of them."""
    assert list(read_rows(path_of(snapshot), KINDS[KIND_OF_ROWS[snapshot.kind]]))
    return [json.loads(line) for line in path_of(snapshot).read_text("utf-8").splitlines()]


def test_the_same_query_on_the_same_submissions_gives_the_same_snapshot(project: Project) -> None:
    demonstrations(project, 3)
    first, second = (freeze(project, Query(kind="demonstrations")) for _ in range(2))
    assert first == second
    assert first.sha256 == second.sha256
    demonstrations(project, 1)
    assert freeze(project, Query(kind="demonstrations")).sha256 != first.sha256


def test_a_demonstration_row_says_what_a_stage_may_know(project: Project) -> None:
    (response,) = demonstrations(project, 1)
    (row,) = rows(freeze(project, Query(kind="demonstrations")))
    assert row["response"]["text"] == response.text
    assert row["messages"] == response.prompt.messages
    assert row["labeler"] == "Ada"
    assert row["group"] not in ("", response.prompt.group_key)


def test_rows_are_sorted_by_id_and_keys_by_name(project: Project) -> None:
    demonstrations(project, 12)
    found = rows(freeze(project, Query(kind="demonstrations")))
    assert [row["id"] for row in found] == sorted(row["id"] for row in found)
    assert all(list(row) == sorted(row) for row in found)


def test_a_split_holds_its_own_prompts_only(project: Project) -> None:
    demonstrations(project, 2)
    demonstrations(project, 1, split="valid")
    assert freeze(project, Query(kind="demonstrations", split="valid")).rows == 1


def test_simulated_work_is_left_out_unless_asked_for(project: Project) -> None:
    demonstrations(project, 1)
    demonstrations(project, 2, by=writer(project, "sim", source="simulated"))
    numbers = {
        asked: freeze(project, Query(kind="demonstrations", simulated=asked)).rows  # type: ignore[arg-type]
        for asked in ("exclude", "include", "only")
    }
    assert numbers == {"exclude": 1, "include": 3, "only": 2}


def test_a_returned_demonstration_and_a_text_that_was_only_judged_stay_out(project: Project) -> None:
    first, second, _ = demonstrations(project, 3)
    Response.objects.filter(pk=first.pk).update(review_state=Response.ReviewState.RETURNED)
    Response.objects.filter(pk=second.pk).update(judged_only=True)
    assert freeze(project, Query(kind="demonstrations")).rows == 1


def test_what_a_reviewer_returned_is_out_until_it_is_written_anew(project: Project, owner: User) -> None:
    campaign = make_campaign(project, kind=WorkKind.DEMONSTRATION)
    assignment = must_claim(campaign, make_labeler(project, "ada"))
    first = submit_now(assignment, Work(text="An apple.")).submission
    query = Query(kind="demonstrations")
    assert freeze(project, query).rows == 1
    review(first, owner, state="returned", remarks="Which apple?", seen=0)
    assert freeze(project, query).rows == 0
    submit_now(assignment, Work(text="A Cox."), corrects=1)
    (row,) = rows(freeze(project, query))
    assert row["response"]["text"] == "A Cox."


def test_prompts_that_labelers_wrote_are_in_but_for_those_returned(project: Project, owner: User) -> None:
    campaign = make_campaign(project, kind=WorkKind.PROMPT, quota=2)
    ada = make_labeler(project, "ada")
    kept, returned = (
        submit_now(must_claim(campaign, ada), written(text)).submission for text in ("What is a fjord?", "What?")
    )
    review(returned, owner, state="returned", remarks="What is asked?", seen=0)
    (row,) = rows(freeze(project, Query(kind="prompts", origins=("labeler",))))
    assert row["messages"][-1]["content"] == kept.prompts.get().last_turn


def test_one_ranking_row_holds_every_labelers_order(project: Project) -> None:
    rankings(project, 1, overlap=2, shown=3)
    (row,) = rows(freeze(project, Query(kind="rankings")))
    assert len(row["responses"]) == 3
    assert [said["ranks"] for said in row["judged"]] == [[1, 2, 3], [1, 2, 3]]
    assert len({said["labeler"] for said in row["judged"]}) == 2


def test_ties_and_unranked_responses_are_kept_as_they_were_said(project: Project) -> None:
    campaign = make_campaign(project, shown=4)
    rank_in_order(must_claim(campaign, make_labeler(project, "ina")), ranks=[1, 2, 2, 3])
    (row,) = rows(freeze(project, Query(kind="rankings")))
    assert row["judged"][0]["ranks"] == [1, 2, 2, 3]


def test_responses_of_two_campaigns_stand_in_one_row_of_their_prompt(project: Project) -> None:
    first = rankings(project, 1, shown=2)
    about = first.tasks.get().prompt
    assert about is not None
    later = [Response.objects.create(prompt=about, generator=generator(project), text=text) for text in "xy"]
    second = make_campaign(project, tasks=1, shown=2)
    task = second.tasks.get()
    task.prompt = about
    task.save()
    for shown, response in zip(task.shown.all(), later, strict=True):
        shown.response = response
        shown.save()
    rank_in_order(must_claim(second, make_labeler(project, "ina")))
    (row,) = rows(freeze(project, Query(kind="rankings")))
    assert [said["ranks"] for said in row["judged"]] == [[1, 2, None, None], [None, None, 1, 2]]
    assert len({response["source"] for response in row["responses"]}) == 2


@pytest.mark.parametrize("change", [{"withdrawn_at": timezone.now()}, {"counted": False}])
def test_what_was_withdrawn_or_is_surplus_does_not_count(project: Project, change: dict[str, Any]) -> None:
    rankings(project, 2)
    Submission.objects.filter(pk=Submission.objects.earliest("pk").pk).update(**change)
    snapshot = freeze(project, Query(kind="rankings"))
    assert snapshot.rows == 1
    assert snapshot.submissions.count() == 1


def test_a_correction_takes_the_place_of_what_it_corrects(project: Project) -> None:
    campaign = make_campaign(project, shown=2)
    assignment = must_claim(campaign, make_labeler(project, "ina"))
    first = rank_in_order(assignment).submission
    second = submit_now(assignment, ranked(1, 1), corrects=1).submission
    snapshot = freeze(project, Query(kind="rankings"))
    assert rows(snapshot)[0]["judged"][0]["ranks"] == [1, 1]
    assert list(snapshot.submissions.all()) == [second] != [first]


def test_prompts_that_begin_alike_and_more_than_200_of_one_group_are_left_out_and_told(project: Project) -> None:
    for number in range(203):
        prompt(project, f"Question {number}", group="one customer")
    long = "Summarise the following letter for me. " * 6
    prompt(project, long + "Dear Ann")
    prompt(project, long + "Dear Ben")
    snapshot = freeze(project, Query(kind="prompts"))
    assert snapshot.rows == 201
    assert snapshot.report["left_out"] == {"near-duplicate": 1, "over 200 of one group": 3}


@pytest.mark.rule(30)
def test_held_out_records_of_a_prompt_that_begins_like_a_training_prompt_are_left_out_and_told(
    project: Project,
) -> None:
    learned, *_ = demonstrations(project, 3)
    alike = [{"role": "user", "content": f" {learned.prompt.last_turn.upper()} \n"}]
    for response in demonstrations(project, 2, split="valid")[:1]:
        Prompt.objects.filter(pk=response.prompt_id).update(messages=alike)
    rankings(project, 2)
    Prompt.objects.filter(tasks__isnull=False).update(split="valid")
    Prompt.objects.filter(pk=Prompt.objects.filter(tasks__isnull=False).earliest("pk").pk).update(messages=alike)
    for kind, number, out in (("demonstrations", 1, 1), ("rankings", 1, 1), ("prompts", 2, 2)):
        snapshot = freeze(project, Query(kind=kind, split="valid"))  # type: ignore[arg-type]
        assert (snapshot.rows, snapshot.report["left_out"]) == (number, {"begins like a training prompt": out})
        assert freeze(project, Query(kind=kind)).report["left_out"].get("begins like a training prompt") is None  # type: ignore[arg-type]


def test_too_few_records_are_refused_and_leave_no_file(project: Project, settings: Any) -> None:
    demonstrations(project, 3)
    with pytest.raises(SnapshotRefused, match="3 demonstrations .* at least 4"):
        freeze(project, Query(kind="demonstrations"), at_least=4)
    assert not Snapshot.objects.exists()
    assert not [path for path in Path(settings.SNAPSHOTS_DIR).rglob("*") if path.is_file()]


def test_another_projects_records_are_never_frozen(project: Project, db: None) -> None:
    demonstrations(Project.objects.create(name="Other", slug="other"), 2)
    demonstrations(project, 1)
    assert freeze(project, Query(kind="demonstrations")).rows == 1


def test_an_unknown_key_of_a_query_is_named() -> None:
    with pytest.raises(SnapshotRefused, match='splitt is not a known key; did you mean "split"'):
        read_query({"kind": "prompts", "splitt": "train"})


def test_ratings_keep_what_was_not_answered_absent(project: Project) -> None:
    campaign = make_campaign(project, kind="rating")
    work = Work(responses={"A": Said(ratings={"overall": 6}, flags={"hallucination": False})})
    submit_now(must_claim(campaign, make_labeler(project, "ina")), work)
    (row,) = rows(freeze(project, Query(kind="ratings")))
    assert row["judged"][0]["ratings"] == {"overall": 6}
    assert row["judged"][0]["flags"] == {"hallucination": False}


def test_token_ids_go_along_with_the_generators_asked_for_and_no_others(project: Project) -> None:
    campaign = make_campaign(project, shown=2)
    first, second = Response.objects.order_by("pk")
    Response.objects.filter(pk=first.pk).update(sampling={"token_ids": [5, 6]})
    Response.objects.filter(pk=second.pk).update(sampling={"token_ids": [7]}, generator=generator(project))
    rank_in_order(must_claim(campaign, make_labeler(project, "ina")))
    assert first.generator_id
    (row,) = rows(freeze(project, Query(kind="rankings", tokens_of=(first.generator_id,))))
    assert [response["token_ids"] for response in row["responses"]] == [[5, 6], None]


def adjudicate_as(task: Task, ranks: tuple[int, int], by: str) -> None:
    """A reviewer's decision; ranks in the order of storage."""
    rita = make_member(task.campaign.project, by, Role.REVIEWER).memberships.get()
    work = Work(responses={letter: Said(rank=rank) for letter, rank in zip("AB", ranks, strict=True)})
    adjudicate(task, rita, work, why="So it is.")


def test_an_adjudication_stands_beside_what_was_said_and_takes_its_place_where_asked(project: Project) -> None:
    campaign = rankings(project, 2, overlap=2, shown=2)
    adjudicate_as(campaign.tasks.earliest("pk"), (1, 1), "rita")
    adjudicate_as(campaign.tasks.earliest("pk"), (2, 1), "roy")
    beside = [[said["ranks"] for said in row["judged"]] for row in rows(freeze(project, Query(kind="rankings")))]
    assert beside == [[[1, 2], [1, 2]], [[1, 2], [1, 2]]]
    instead = rows(freeze(project, Query(kind="rankings", adjudicated="instead")))
    assert [[said["ranks"] for said in row["judged"]] for row in instead] == [[[2, 1]], [[1, 2], [1, 2]]]
    assert len(instead[0]["judged"]) == 1
    Submission.objects.filter(adjudication__isnull=False).update(withdrawn_at=timezone.now())
    again = rows(freeze(project, Query(kind="rankings", adjudicated="instead")))
    assert [[said["ranks"] for said in row["judged"]] for row in again] == beside


def test_a_cohort_alone_some_labelers_alone_and_all_but_some(project: Project) -> None:
    campaign = rankings(project, 2, overlap=3, shown=2)
    first, second, third = campaign.project.labelers.order_by("pk")
    cohort = Cohort.objects.create(project=project, name="warm")
    CohortMember.objects.create(cohort=cohort, labeler=first, since=timezone.now() - timedelta(days=1))
    CohortMember.objects.create(cohort=cohort, labeler=second, since=timezone.now() + timedelta(days=1))

    def who(**asked: Any) -> set[str]:
        found = rows(freeze(project, Query(kind="rankings", **asked)))
        return {said["labeler"] for row in found for said in row["judged"]}

    assert who(cohort=cohort.pk) == {first.pseudonym}
    assert who(judges=(third.pk,)) == {third.pseudonym}
    assert who(without_judges=(third.pk,)) == {first.pseudonym, second.pseudonym}


def test_a_cohort_among_others_is_of_those_in_no_other_and_conditions_are_of_these_alone(project: Project) -> None:
    rankings(project, 2, overlap=3, shown=2)
    first, second, third = project.labelers.order_by("pk")
    yesterday = timezone.now() - timedelta(days=1)
    young, women, old = (Cohort.objects.create(project=project, name=name) for name in ("young", "women", "old"))
    for cohort, one in ((young, first), (women, first), (young, second), (old, third)):
        CohortMember.objects.create(cohort=cohort, labeler=one, since=yesterday)

    def who(**asked: Any) -> set[tuple[str, str | None]]:
        found = rows(freeze(project, Query(kind="rankings", **asked)))
        return {(said["labeler"], said["condition"]) for row in found for said in row["judged"]}

    one, other, last = (person.pseudonym for person in (first, second, third))
    both, ages = (young.pk, women.pk), (young.pk, old.pk)
    assert who(among=both) == {(one, None), (other, "young"), (last, None)}
    assert who(cohort=young.pk, among=both) == {(other, "young")}
    assert who(cohort=young.pk, among=ages) == {(one, "young"), (other, "young")}
    assert who(among=ages) == {(one, "young"), (other, "young"), (last, "old")}
    assert who() == {(one, None), (other, "young"), (last, "old")}


def test_so_many_rankings_are_drawn_by_lot_and_alike_each_time(project: Project) -> None:
    rankings(project, 4, overlap=2, shown=2)
    drawn = [freeze(project, Query(kind="rankings", judgments=5, seed=seed)) for seed in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2]
    assert [sum(len(row["judged"]) for row in rows(one)) for one in drawn] == [5, 5, 5]
