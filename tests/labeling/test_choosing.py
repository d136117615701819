"""What the tasks of a campaign are made of: which prompts fit, and what a seed draws."""

from dataclasses import replace

import pytest

from labeling.campaigning import create_campaign
from labeling.checking import Work
from labeling.choosing import Choice, count_of, items_of
from labeling.errors import InvalidSetting, NothingFits
from labeling.guidelines import guideline_for
from labeling.models import Campaign, Generator, Guideline, Labeler, Project, Prompt, Response, Task, User, WorkKind
from labeling.reviewing import review
from tests.labeling.work import (
    make_campaign,
    make_labeler,
    make_prompt,
    make_responses,
    must_claim,
    submit_now,
    written,
)

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]

WRITE = Choice(WorkKind.DEMONSTRATION)


def generator(project: Project, name: str) -> Generator:
    return Generator.objects.create(project=project, name=name, kind=Generator.Kind.SFT)


def answered(prompt: Prompt, by: Generator, *texts: str) -> None:
    Response.objects.bulk_create(Response(prompt=prompt, generator=by, text=text) for text in texts)


def person(project: Project) -> Labeler:
    return Labeler.objects.create(project=project, pseudonym="L-1", source=Labeler.Source.IMPORTED)


def test_prompts_are_chosen_by_what_they_are(project: Project) -> None:
    one, two, three = (make_prompt(project) for _ in range(3))
    Prompt.objects.filter(pk=one.pk).update(split="test", use_case="chat")
    Prompt.objects.filter(pk=two.pk).update(origin="customer")
    Prompt.objects.filter(pk=three.pk).update(personal_data=["email"])
    for choice, fit in (
        (WRITE, 2),
        (replace(WRITE, personal_data=True), 3),
        (replace(WRITE, split="test"), 1),
        (replace(WRITE, use_case="chat", split="train"), 0),
        (replace(WRITE, origin="customer"), 1),
    ):
        assert count_of(project, choice).fit == fit, choice


def test_prompts_that_a_person_answered_are_left_out_where_it_is_asked(project: Project) -> None:
    one, two = make_prompt(project), make_prompt(project)
    Response.objects.create(prompt=one, labeler=person(project), text="Done.")
    make_responses(two, ["by a model"])
    assert [prompt for prompt, _ in items_of(project, replace(WRITE, unanswered=True))] == [two]
    assert count_of(project, WRITE).fit == 2


def test_a_seed_draws_the_same_prompts_again_and_another_others(project: Project) -> None:
    for _ in range(30):
        make_prompt(project)

    def drawn(seed: int) -> list[int]:
        return [prompt.pk for prompt, _ in items_of(project, replace(WRITE, prompts=10, seed=seed))]

    assert drawn(1) == drawn(1) != drawn(2)
    assert len(set(drawn(1))) == 10
    assert count_of(project, replace(WRITE, prompts=10)).tasks == 10


def test_a_ranking_needs_two_different_responses_by_those_chosen(project: Project) -> None:
    a, b = generator(project, "a"), generator(project, "b")
    both, twice, one_of_b = (make_prompt(project) for _ in range(3))
    for prompt, by, texts in ((both, a, "xy"), (twice, a, "xx"), (one_of_b, a, "x"), (one_of_b, b, "y")):
        answered(prompt, by, *texts)
    only_a = Choice(WorkKind.RANKING, generators=(a.pk,))
    assert count_of(project, only_a).fit == 1
    assert count_of(project, replace(only_a, generators=(a.pk, b.pk))).fit == 2
    assert count_of(project, Choice(WorkKind.RANKING)).fit == 0


def test_a_ranking_shows_as_many_as_asked_for_or_what_there_is(project: Project) -> None:
    a = generator(project, "a")
    few, many = make_prompt(project), make_prompt(project)
    answered(few, a, "1", "2")
    answered(many, a, *"123456")
    found = {
        prompt: texts for prompt, texts in items_of(project, Choice(WorkKind.RANKING, generators=(a.pk,), shown=4))
    }
    assert (len(found[few]), len(found[many])) == (2, 4)


def test_a_rating_takes_one_response_of_each_writer_to_prompts_that_all_answered(project: Project) -> None:
    a, b = generator(project, "a"), generator(project, "b")
    both, only_a = make_prompt(project), make_prompt(project)
    answered(both, a, "1", "2", "3")
    answered(both, b, "4")
    Response.objects.create(prompt=both, labeler=person(project), text="5")
    answered(only_a, a, "6")
    choice = Choice(WorkKind.RATING, generators=(a.pk, b.pk), people=True)
    found = count_of(project, choice)
    assert (found.fit, found.prompts, found.tasks) == (1, 1, 3)
    items = list(items_of(project, choice))
    assert {prompt for prompt, _ in items} == {both}
    assert sorted(str(one.generator_id) for _, (one,) in items) == sorted([str(a.pk), str(b.pk), "None"])


def test_prompts_of_another_project_are_never_drawn(project: Project) -> None:
    elsewhere = Project.objects.create(name="Elsewhere", slug="elsewhere")
    make_prompt(elsewhere)
    assert list(items_of(project, WRITE)) == []


def test_the_count_is_what_is_made(project: Project) -> None:
    a, b = generator(project, "a"), generator(project, "b")
    for _ in range(5):
        prompt = make_prompt(project)
        answered(prompt, a, "1", "2")
        answered(prompt, b, "3")
    for kind in (WorkKind.DEMONSTRATION, WorkKind.RANKING, WorkKind.RATING):
        choice = Choice(kind, generators=(a.pk, b.pk), prompts=3)
        settings = {"name": kind.label, "guideline": guideline_for(project, kind), "overlap": 2}
        made = create_campaign(project, kind, settings, choice)
        assert made.tasks.count() == count_of(project, choice).tasks
        assert made.state == Campaign.State.DRAFT
    assert set(Task.objects.values_list("open_slots", flat=True)) == {2}


def test_a_choice_that_nothing_fits_makes_nothing(project: Project) -> None:
    settings = {"name": "Empty", "guideline": guideline_for(project, WorkKind.DEMONSTRATION)}
    with pytest.raises(NothingFits):
        create_campaign(project, WorkKind.DEMONSTRATION, settings, WRITE)
    assert not Campaign.objects.exists()


def test_nobody_is_to_work_by_a_draft_of_a_guideline(project: Project) -> None:
    make_prompt(project)
    draft = Guideline.objects.create(project=project, kind="demonstration", version=1, body="x")
    with pytest.raises(InvalidSetting, match="publish it"):
        create_campaign(project, WorkKind.DEMONSTRATION, {"name": "Early", "guideline": draft}, WRITE)
    assert not Campaign.objects.exists()


def test_what_a_reviewer_returned_or_its_author_replaced_is_asked_of_nobody(project: Project, owner: User) -> None:
    ada = make_labeler(project, "ada")
    asking = make_campaign(project, kind=WorkKind.PROMPT, quota=3)
    kept = submit_now(must_claim(asking, ada), written("How do I boil an egg?")).submission
    replaced = must_claim(asking, ada)
    submit_now(replaced, written("How do I fry a fish?"))
    again = submit_now(replaced, written("How do I fry a fish in butter?"), corrects=1).submission
    returned = submit_now(must_claim(asking, ada), written("Cook.")).submission
    review(returned, owner, state="returned", remarks="Say what.", seen=0)
    chosen = Choice(WorkKind.DEMONSTRATION, split="")
    asked = {prompt.submission_id for prompt, _ in items_of(project, chosen)}
    assert asked == {kept.pk, again.pk}


def test_a_demonstration_that_was_returned_is_not_judged(project: Project, owner: User) -> None:
    ada = make_labeler(project, "ada")
    written_by_hand = must_claim(make_campaign(project, kind=WorkKind.DEMONSTRATION), ada)
    submission = submit_now(written_by_hand, Work(text="It is four.")).submission
    people = Choice(WorkKind.RATING, people=True)
    assert count_of(project, people).tasks == 1
    review(submission, owner, state="returned", remarks="Show how.", seen=0)
    assert count_of(project, people).tasks == 0
    again = Work(text="Two and two is four.")
    submit_now(written_by_hand, again, corrects=1)
    assert [responses[0].text for _, responses in items_of(project, people)] == ["Two and two is four."]
    assert count_of(project, replace(people, kind=WorkKind.RANKING)).fit == 0
