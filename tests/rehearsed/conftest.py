"""A founded rehearsal, and rounds in it whose machines are played by the test."""

from functools import cache, partial

import pytest

from labeling.models import Project, Prompt, Response, User
from tests.conftest import make_member
from tests.training.conftest import own_folders, round_with_base  # noqa: F401
from training import founding
from training.founding import found_rehearsal
from training.models import Checkpoint, Job, Round, Stage
from training.rehearsal import corpus, material, prompts
from training.rehearsal.recipe import FULL
from training.rehearsing import Settings, rehearse
from training.rounds import advance
from training.self_running import run_by_itself

TEXTS = (
    "The {0} eats mint.",
    "I do not know.",
    "Hello, my friend. The {0} eats mint. Come by any time.",
    "What does the {0} eat? Where does the {0} sleep?",
)


# The village of one seed is always the same: it is made once for all tests that found it.
MAKE_CORPUS, TRAINING_PROMPTS = cache(corpus.make_corpus), cache(prompts.training_prompts)
DEMONSTRATIONS = cache(partial(material.demonstrations, recipe=FULL))
HELD_OUT = cache(partial(material.prompts_to_evaluate, recipe=FULL))


@pytest.fixture(autouse=True)
def one_village(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(founding, "make_corpus", MAKE_CORPUS)
    monkeypatch.setattr(founding, "training_prompts", TRAINING_PROMPTS)
    monkeypatch.setattr(founding.material, "demonstrations", lambda world, recipe: DEMONSTRATIONS(world))
    monkeypatch.setattr(founding.material, "prompts_to_evaluate", lambda world, recipe: HELD_OUT(world))


@pytest.fixture
def researcher_there(db: None) -> User:
    return User.objects.create_user(username="rita", email="rita@example.org")


@pytest.fixture
def rehearsal(researcher_there: User) -> Project:
    return found_rehearsal([(researcher_there, "owner")])


@pytest.fixture
def ranked_round(rehearsal: Project) -> Round:
    """A rehearsed round whose base, SFT and samples are there, so that its ranking campaign has just been opened."""
    trained = train(rehearsal, "pretrain", Round.objects.get(number=1))
    assert trained.kind == "base"
    round_ = rehearse(rehearsal, Settings(prompts=60, by_hand=5))
    run_by_itself(round_)
    train(rehearsal, "sft", round_)
    run_by_itself(round_)
    sample(round_, prompts=60)
    run_by_itself(round_)
    return round_


def end(round_: Round, kind: str) -> Job:
    """The stage's job as if a worker had done it."""
    stage = round_.stages.get(kind=kind)
    if stage.job is None:
        stage.job = Job.objects.create(project=round_.project, stage=stage, kind=kind, config={"sample": {}, "seed": 1})
    Job.objects.filter(pk=stage.job.pk).update(state="done")
    Stage.objects.filter(pk=stage.pk).update(state="done", job=stage.job)
    advance(round_)
    return stage.job


def train(project: Project, kind: str, round_: Round) -> Checkpoint:
    """The stage's job with a checkpoint that only looks like one."""
    from django.conf import settings

    from labeling.models import Generator
    from tests.training.making import base_model_folder

    job = end(round_, kind)
    folder = base_model_folder(settings.RUNS_DIR / str(job.pk) / "model")
    made = {"pretrain": "base", "sft": "sft", "reward": "reward", "ppo": "policy"}[kind]
    generator = None if made == "reward" else Generator.objects.create(project=project, name=f"r{job.pk}", kind=made)
    return Checkpoint.objects.create(
        project=project, kind=made, name=f"r{round_.number}-{kind}", uri=str(folder), job=job, generator=generator
    )


def sample(round_: Round, *, prompts: int) -> None:
    """Responses of the newest SFT model to prompts that nobody has answered."""
    job = end(round_, "sample")
    generator = round_.project.generators.filter(kind="sft").latest("pk")
    found = Prompt.objects.filter(project=round_.project, responses=None).exclude(split="test")[:prompts]
    Response.objects.bulk_create(
        Response(
            prompt=prompt, generator=generator, text=text.format(prompt.group_key), finish_reason="stop",
            sampling={"job": job.pk, "token_ids": [1, 2]},
        )
        for prompt in found
        for text in TEXTS
    )  # fmt: skip


__all__ = ["make_member"]
