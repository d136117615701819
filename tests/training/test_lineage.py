"""Where checkpoints come from, and whose token ids they can read."""

import pytest

from labeling.models import Generator, Project
from training.lineage import generators_that_share_the_tokenizer
from training.models import Checkpoint

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]


def checkpoint(project: Project, name: str, *parents: Checkpoint, kind: str = "sft") -> Checkpoint:
    generator = None if kind == "reward" else Generator.objects.create(project=project, name=name, kind="sft")
    made = Checkpoint.objects.create(project=project, name=name, kind=kind, uri=name, generator=generator)
    made.parents.set(parents)
    return made


def test_models_of_one_base_share_a_tokenizer_and_those_of_another_do_not(project: Project) -> None:
    base, other = checkpoint(project, "base"), checkpoint(project, "other")
    sft = checkpoint(project, "sft", base)
    reward = checkpoint(project, "reward", sft, kind="reward")
    policy = checkpoint(project, "policy", sft, reward)
    foreign = checkpoint(project, "foreign", other)
    shared = {base.generator_id, sft.generator_id, policy.generator_id}
    for one in (base, sft, reward, policy):
        assert set(generators_that_share_the_tokenizer(project, one)) == shared
    assert set(generators_that_share_the_tokenizer(project, foreign)) == {other.generator_id, foreign.generator_id}
