"""Founding a rehearsal: what stands in the project before anybody has done anything."""

import pytest

from labeling.models import CohortMember, Labeler, Project, Prompt, Response, Role, User
from labeling.rendering import render
from training.errors import RoundRefused
from training.founding import VILLAGERS, base_round, found_rehearsal
from training.models import Job, Round, Snapshot
from training.recipes import recipes_for
from training.rehearsal import material
from training.rehearsal.demonstrations import DEMONSTRATORS_PER_COHORT
from training.rehearsal.recipe import FULL
from training.rehearsal.world import field_guide, make_world
from training.rounds import open_round
from training.snapshots import freeze, path_of, read_query
from training.sweeping import sweep

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]


def test_it_holds_the_village_of_the_study_and_says_that_it_is_simulated(rehearsal: Project) -> None:
    world = make_world(1)
    assert rehearsal.simulated
    assert "invented" in rehearsal.about
    assert set(Prompt.objects.values_list("origin", flat=True)) == {"simulated"}
    assert set(Labeler.objects.values_list("source", flat=True)) == {"simulated"}
    held_out = Prompt.objects.filter(split="test").values_list("external_id", flat=True)
    assert set(held_out) == {prompt.id for prompt in material.prompts_to_evaluate(world, FULL)}
    texts = {one.response.text for one in material.demonstrations(world, FULL)}
    assert set(Response.objects.values_list("text", flat=True)) == texts


def test_its_demonstrations_say_for_which_cohort_they_were_written(rehearsal: Project) -> None:
    judges = [one for kind in VILLAGERS.values() for one in kind if one.cohort == "terse"]
    assert len(judges) == 10
    assert CohortMember.objects.filter(cohort__name="terse").count() == DEMONSTRATORS_PER_COHORT + len(judges)
    frozen = freeze(rehearsal, read_query({"kind": "demonstrations", "split": "train", "simulated": "include"}))
    rows = path_of(frozen).read_text().splitlines()
    assert sum('"condition": "terse"' in row or '"condition":"terse"' in row for row in rows) > 300
    assert not [row for row in rows if '"condition":null' in row.replace(" ", "")]


def test_without_being_asked_no_simulated_demonstration_is_frozen(rehearsal: Project) -> None:
    assert freeze(rehearsal, read_query({"kind": "demonstrations"})).rows == 0


@pytest.mark.parametrize("kind", ["prompt", "demonstration", "ranking", "rating"])
def test_a_guideline_of_each_kind_holds_the_whole_field_guide(rehearsal: Project, kind: str) -> None:
    guideline = rehearsal.guidelines.get(kind=kind)
    assert guideline.published_at is not None
    assert field_guide(make_world(1)) in guideline.body


def test_its_first_job_trains_the_base_model_as_soon_as_somebody_sweeps(rehearsal: Project) -> None:
    base = base_round(rehearsal)
    assert base is not None
    assert (base.number, base.runs_itself, [stage.kind for stage in base.stages.all()]) == (1, True, ["pretrain"])
    assert sweep() == 1
    job = Job.objects.get()
    assert (job.kind, job.state, job.config["hardware"]["device"]) == ("pretrain", "queued", "cpu")
    assert Snapshot.objects.get().rows == FULL.documents
    assert sweep() == 0


def test_recipes_of_the_rehearsal_are_for_simulated_projects_only(rehearsal: Project) -> None:
    other = Project.objects.create(name="Real", slug="real")
    assert [recipe.name for recipe in recipes_for(rehearsal)] == ["rehearsal", "overoptimised", "tiny", "paper"]
    assert [recipe.name for recipe in recipes_for(other)] == ["tiny", "paper"]
    with pytest.raises(RoundRefused, match="for rehearsals, and Real is none"):
        open_round(other, recipe="rehearsal")
    assert not Round.objects.filter(project=other).exists()


def test_people_get_their_roles(researcher_there: User) -> None:
    project = found_rehearsal([(researcher_there, Role.OWNER)], name="Another", slug="another")
    assert project.memberships.get().role == "owner"


def test_no_sentence_that_people_read_breaks_off_at_the_end_of_a_line(rehearsal: Project) -> None:
    for text in (rehearsal.about, *rehearsal.guidelines.values_list("body", flat=True)):
        assert "<br" not in render(text)
