"""Two rounds of a rehearsal that run themselves, on two workers with different queues.

make trial PART=two_rounds (about 5 minutes on two free cores). Nobody touches anything but the first button of each
round: stages start as soon as what they wait for is there, on the worker that takes their queue, while simulated
labelers rank and rate. The second round is the first one's recipe with its policy as the generator, and its evaluation
sets both policies beside each other.
"""

from pathlib import Path
from typing import Any

import pytest
from django.urls import reverse

from labeling.models import Role, User
from tests.conftest import signed_in
from tests.training.workers import environment, started, wait_until, worker
from training.comparing import compare
from training.evaluation import evaluation_of
from training.founding import found_rehearsal
from training.models import Job, Round, Stage, Worker
from training.next_round import next_round
from training.rehearsing import Settings, rehearse

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]

PATIENCE_SECONDS = 1800
ON_A_GPU = {"device": "auto", "threads": 1, "micro_batch_tokens": 4096}
"""What asks for a GPU where there is one goes to that queue; here the worker there has none."""
ON_A_CPU = ON_A_GPU | {"device": "cpu"}
SMALL: dict[str, dict[str, Any]] = {
    "sft": {"hardware": ON_A_GPU, "sft": {"epochs": 1}},
    "sample": {"hardware": ON_A_CPU},
    "reward": {"hardware": ON_A_GPU, "reward": {"epochs": 1, "prompts_per_step": 8}},
    "ppo": {
        "hardware": ON_A_GPU,
        "ppo": {"episodes": 4 * 48, "episodes_per_iteration": 48, "minibatch_episodes": 24},
        "checkpoints": {"keep_steps": []},
    },
    "evaluate": {"hardware": ON_A_CPU, "sample": {"limit_prompts": 24}},
}


@pytest.fixture(autouse=True)
def own_folders(settings: Any, tmp_path: Path) -> None:
    for name in ("RUNS_DIR", "SNAPSHOTS_DIR", "MODELS_DIR"):
        setattr(settings, name, tmp_path / name)
    settings.REDIS_URL = ""


def is_done(round_: Round) -> bool:
    states = set(Stage.objects.filter(round=round_).values_list("state", flat=True))
    refused = list(Stage.objects.filter(round=round_).exclude(refusal="").values_list("kind", "refusal"))
    failed = list(Job.objects.filter(stage__round=round_, state="failed").values_list("kind", "error"))
    assert not refused, refused
    assert not failed, failed
    return states == {"done"}


def test_two_rounds_run_themselves_to_the_end(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ines = User.objects.create_user("ines", email="ines@example.org")
    project = found_rehearsal([(ines, Role.OWNER)])
    base = Round.objects.get(project=project)
    shorter = {"pretrain": {"pretrain": {"steps": 120}, "hardware": ON_A_GPU}}
    stages = base.recipe["stages"]
    stages["pretrain"] = stages["pretrain"] | {
        "pretrain": stages["pretrain"]["pretrain"] | shorter["pretrain"]["pretrain"],
        "hardware": ON_A_GPU,
    }
    base.save(update_fields=["recipe"])
    first = rehearse(project, Settings(prompts=80, responses=3, judges=1, by_hand=0), changes=SMALL, by=ines)
    logs = {queue: tmp_path / f"{queue}.log" for queue in ("cpu", "gpu")}
    with (
        started(worker("--queue", "cpu"), log=logs["cpu"], env=environment()),
        started(worker("--queue", "gpu"), log=logs["gpu"], env=environment()),
    ):
        wait_until(lambda: is_done(first), log=logs["gpu"], patience_seconds=PATIENCE_SECONDS)
        second = next_round(first, by=ines)
        wait_until(lambda: is_done(second), log=logs["gpu"], patience_seconds=PATIENCE_SECONDS)
        names = {tuple(one.queues): one.name for one in Worker.objects.up()}
    assert set(names) == {("cpu",), ("gpu",)}
    for queue, log in logs.items():
        took = set(Job.objects.filter(queue=queue).values_list("pk", flat=True))
        words = log.read_text()
        assert took
        assert all(f"job {pk}, attempt 1: finish" in words for pk in took) or not words.count("finish")
    policy = Job.objects.get(stage__round=first, kind="ppo").checkpoint
    sampled = Job.objects.get(stage__round=second, stage__kind="sample")
    assert sampled.inputs.get(role="generators").checkpoint == policy
    evaluated = second.stages.get(kind="evaluate")
    assert evaluated.campaign is not None
    found = evaluation_of(second, evaluated.campaign)
    assert found is not None
    labels = {author.label for author in found.authors}
    assert {"PPO, round 2", "PPO, round 3"} <= labels, labels
    page = signed_in(ines).get(reverse("compare_rounds", args=[project.slug, second.number]), {"with": first.number})
    assert page.status_code == 200
    assert "How their responses were rated" in page.content.decode()
    with capsys.disabled():
        print()
        for job in Job.objects.select_related("stage__round").order_by("pk"):
            assert job.stage
            assert job.started_at
            assert job.finished_at
            seconds = (job.finished_at - job.started_at).total_seconds()
            print(f"round {job.stage.round.number}, {job.stage.kind}: queue {job.queue}, {seconds:.0f} s")
        for author in found.authors:
            print(f"{author.label}: {found.mean(author).value:.2f} of 7, by {found.labelers} simulated raters")
        differing = {pair.kind: [one.key for one in pair.differing] for pair in compare(first, second)}
        print("settings that differ:", {kind: keys for kind, keys in differing.items() if keys})
