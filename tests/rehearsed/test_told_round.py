"""A round that tells two cohorts apart with real stages of a tiny model, run by itself.

Simulated labelers of both cohorts rank; SFT, reward model and PPO are told; simulated raters of both rate the policy
told each of them and told nothing.
"""

from typing import Any

import pytest

from labeling.models import Cohort, Labeler, Project, Response, User
from tests.conftest import signed_in
from training import founding, jobs
from training.audience import audience_in, known_to
from training.evaluation import evaluation_of
from training.launching import supervise
from training.models import Checkpoint, Job, Round, Snapshot
from training.rehearsal import corpus, material, prompts, recipe
from training.rehearsal.world import make_world
from training.rlhf.contract import records
from training.rounds import open_round
from training.snapshots import path_of, register, write_file
from training.stopping import StopSignal
from training.sweeping import keep_going
from training.two_by_two import squares

pytestmark = pytest.mark.django_db

CPU = {"device": "cpu", "threads": 1}
LENGTHS = {"prompt_tokens": 96, "response_tokens": 24, "context_tokens": 120}
SMALL: dict[str, dict[str, Any]] = {
    "pretrain": {
        "hardware": CPU,
        "pretrain": {
            "steps": 20, "tokens_per_step": 512, "sequence_tokens": 64, "vocabulary": 400,
            "shape": {"layers": 1, "width": 16, "heads": 2},
        },
    },
    "sft": {"hardware": CPU, "lengths": LENGTHS, "sft": {"epochs": 1, "sequences_per_step": 8}},
    "sample": {"hardware": CPU, "lengths": LENGTHS, "sample": {"responses_per_prompt": 2, "limit_prompts": 12}},
    "reward": {"hardware": CPU, "lengths": LENGTHS, "reward": {"epochs": 1, "prompts_per_step": 4}},
    "ppo": {
        "hardware": CPU, "lengths": LENGTHS,
        "ppo": {"episodes": 16, "episodes_per_iteration": 8, "minibatch_episodes": 4},
    },
    "evaluate": {"hardware": CPU, "lengths": LENGTHS, "sample": {"limit_prompts": 12}},
}  # fmt: skip
PEOPLE = 5
"""Of each cohort who rank, and as many others who rate."""
HELD_OUT, RANKED, DEMONSTRATED = 14, 16, 24


@pytest.fixture
def village(researcher_there: User) -> Project:
    """A small rehearsal."""
    world = make_world(founding.SEED)
    project = Project.objects.create(name="Village", slug="village", simulated=True)
    project.memberships.create(user=researcher_there, role="owner")
    founding.publish_guidelines(project, world)
    shown = material.demonstrations(world, recipe.FULL)[:DEMONSTRATED]
    labelers = founding.bring_in_labelers(project, {one.labeler or "": one.condition or "" for one in shown})
    asked = [one for one in prompts.training_prompts(world)[DEMONSTRATED:] if one.split == "train"][:RANKED]
    written = founding.write_prompts(project, [*shown, *asked, *prompts.held_out_prompts(world, count=HELD_OUT)])
    for one in shown:
        Response.objects.create(
            prompt=written[founding.fingerprint_of(one)], labeler=labelers[one.labeler or ""], text=one.response.text
        )
    text = write_file(project, Snapshot.Kind.TEXT, corpus.make_corpus(world, documents=200))
    register(project, text, query={"file": "village", "split": "train"}, report={})
    return project


def work() -> list[Job]:
    """As a worker does: whatever is queued, and simulated labelers in between, until nothing is left."""
    done = []
    for _ in range(12):
        keep_going()
        job = Job.objects.filter(state="queued").order_by("pk").first()
        if job is None:
            break
        claim = jobs.claim(job.pk, "test")
        assert claim
        supervise(claim, stop=StopSignal())
        job.refresh_from_db()
        assert job.state == "done", job.error
        done.append(job)
    return done


def opened(project: Project, mode: str, *cohorts: str, **more: Any) -> Round:
    asked = [str(Cohort.objects.get(name=name).pk) for name in cohorts]
    return open_round(
        project, changes=SMALL, runs_itself=True, audience=audience_in(project, mode, asked),
        more={"overlap": 2 * PEOPLE, "rankings": "own", "unanswered": "by people",
              "evaluation": {"overlap": 2 * PEOPLE}} | more,
    )  # fmt: skip


def conditions_in(job: Job, role: str) -> set[str | None]:
    snapshot = job.inputs.get(role=role).snapshot
    assert snapshot is not None
    rows = records.read_rows(path_of(snapshot), records.Ranking)
    return {one.condition for row in rows for one in row.judged}


def test_it_runs_itself_from_text_to_a_table_two_by_two(village: Project, researcher_there: User) -> None:
    round_ = opened(village, "told", "terse", "warm")
    kinds = [job.kind for job in work()]
    assert kinds == ["pretrain", "sft", "sample", "reward", "ppo", "sample"]
    assert set(round_.stages.values_list("state", flat=True)) == {"done"}, list(
        round_.stages.values_list("kind", "state", "refusal")
    )
    made = {one.kind: one for one in Checkpoint.objects.filter(job__stage__round=round_)}
    for kind in ("sft", "reward", "policy"):
        assert [one.key for one in known_to(made[kind])] == ["terse", "warm"], kind
    assert conditions_in(Job.objects.get(kind="reward"), "rankings_train") == {"terse", "warm"}

    campaign = round_.stages.get(kind="evaluate").campaign
    assert campaign is not None
    raters = Labeler.objects.filter(assignments__campaign=campaign, assignments__state="submitted").distinct()
    assert raters.count() == 2 * PEOPLE
    found = evaluation_of(round_, campaign)
    assert found is not None
    assert [author.label for author in found.authors] == [
        "PPO, round 1", "PPO, round 1, told terse", "PPO, round 1, told warm", "SFT, round 1", "Base, round 1"
    ]  # fmt: skip
    (square,) = squares(found)
    assert square.figure.value is not None
    page = signed_in(researcher_there).get("/projects/village/rounds/1/evaluation/").content.decode()
    assert "Told for whom to write" in page
    assert "rated by terse" in page
    assert "claimed that" in page.partition("Told for whom to write")[2]
