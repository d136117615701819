"""kill -9 in every stage that machines do: of the worker in the middle of it, and of the stage at ten random points.

make trial PART=kill. The first kind has real workers and a real lease that has to lapse by itself.
The second starts the stage in a run folder, kills it at a random moment, also before its first checkpoint, in
the middle of writing one and while it releases, and starts it again. The numbers, texts, events and released files have
to be those of a run that nobody killed, to the bit. ACCORD_KILL_SEED repeats a drawing.

Seen: 70 of 70 equal with the seeds 906537 (pretrain, sft) and 825703 (sample, reward, ppo, evaluate, score), in 19
minutes on two cores that had nine times as much to do as they could. It found that a resumed pretraining released
another tokenizer_config.json, and half-written files beside an output.
"""

import json
import os
import random
import signal
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from labeling.models import Project
from tests.labeling.work import make_labeler, must_claim
from tests.rlhf.stage_folders import FOLDERS
from tests.training.evaluated import held_out, rating_guideline
from tests.training.making import demonstrations, rank_in_order, reload
from tests.training.workers import environment, is_gone, started, wait_until, worker
from tests.trials.killing import POINTS, fresh, go_on, kill_at, load, outcome, run_calmly
from training.models import Job, Metric, Round
from training.rlhf.contract.metrics import deterministic
from training.rlhf.contract.run_folder import file_sha256
from training.rounds import launch, open_ranking_campaign, open_round
from training.run_folders import run_folder
from training.sweeping import sweep
from training.text_import import import_text

LEASE_SECONDS = 6
CPU = {"device": "cpu", "threads": 1, "micro_batch_tokens": 200}
LENGTHS = {"prompt_tokens": 64, "response_tokens": 32, "context_tokens": 96}
SHAPE = {"layers": 2, "width": 64, "heads": 2}


def stage(every_steps: int, **sections: Any) -> dict[str, Any]:
    return {"hardware": CPU, "checkpoints": {"every_steps": every_steps}, **sections}


STAGES: dict[str, dict[str, Any]] = {
    "pretrain": stage(
        10, pretrain={"steps": 120, "tokens_per_step": 512, "sequence_tokens": 64, "vocabulary": 300, "shape": SHAPE}
    ),
    "sft": stage(5, lengths=LENGTHS, sft={"epochs": 8, "sequences_per_step": 4}),
    "sample": stage(8, lengths=LENGTHS, sample={"responses_per_prompt": 3}),
    "reward": stage(3, lengths=LENGTHS, reward={"epochs": 6, "prompts_per_step": 4}),
    "ppo": stage(1, lengths=LENGTHS, ppo={"episodes": 96, "episodes_per_iteration": 16, "minibatch_episodes": 8}),
    "evaluate": stage(8, lengths=LENGTHS, sample={"limit_prompts": 30}),
}
"""In the order of a round; each with several checkpoints on its way."""


@pytest.fixture
def round_(project: Project, tmp_path: Path, settings: Any) -> Round:
    for name in ("RUNS_DIR", "SNAPSHOTS_DIR", "MODELS_DIR"):
        setattr(settings, name, tmp_path / name)
    settings.REDIS_URL = ""
    text = tmp_path / "text.jsonl"
    text.write_text("".join(json.dumps({"text": f"Story {n}. Once there was a heron. " * 8}) + "\n" for n in range(99)))
    import_text(project, text)
    demonstrations(project, 40)
    demonstrations(project, 4, split="valid")
    project.guidelines.create(kind="ranking", version=1, body="Rank.", published_at="2026-01-01T00:00:00Z")
    rating_guideline(project)
    held_out(project, 30)
    return open_round(project)


def kill_in_the_middle(job: Job, log: Path) -> int:
    """Starts a worker, kills it once a checkpoint is there and the stage still works; returns the checkpoint's step."""
    folder = run_folder(job)
    with started(worker(), log=log, env=environment(ACCORD_JOB_LEASE_SECONDS=str(LEASE_SECONDS))) as process:
        wait_until(lambda: folder.latest.exists(), log=log)
        status = json.loads(folder.status.read_text())
        process.send_signal(signal.SIGKILL)
        process.wait()
    wait_until(lambda: is_gone(int(status["pid"])))
    assert not folder.report.exists(), "the stage was done before it could be killed"
    assert reload(job).state == "running", "nobody has said otherwise yet"
    return int(json.loads(folder.latest.read_text())["step"])


def go_on_with_another_worker(log: Path, job: Job) -> Job:
    """Another worker, which has to wait for the lease of the first."""
    with started(worker(), log=log, env=environment(ACCORD_JOB_LEASE_SECONDS=str(LEASE_SECONDS))):
        wait_until(lambda: reload(job).state not in ("queued", "running"), log=log, patience_seconds=400)
    return reload(job)


def found(job: Job) -> tuple[list[Any], list[str]]:
    """Numbers of a job but the clock's, and the hashes of what it released."""
    rows = Metric.objects.filter(job=job).order_by("step", "split").values_list("step", "split", "values")
    folder = run_folder(job)
    files = [folder.model / "model.safetensors", folder.output("responses")]
    return (
        [(step, split, deterministic(values)) for step, split, values in rows],
        [file_sha256(path) for path in files if path.exists()],
    )


def rank_everything(round_: Round) -> None:
    campaign = open_ranking_campaign(round_)
    labeler = make_labeler(round_.project, "ina")
    for _ in campaign.tasks.all():
        rank_in_order(must_claim(campaign, labeler))
    sweep()


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_every_stage_goes_on_from_its_checkpoint_after_its_worker_was_killed(
    round_: Round, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "worker.log"
    for kind, overrides in STAGES.items():
        job = launch(round_, kind, overrides=overrides)
        killed_at = kill_in_the_middle(job, log)
        began = time.monotonic()
        ended = go_on_with_another_worker(log, job)
        waited = time.monotonic() - began
        assert (ended.state, ended.attempt) == ("done", 2), (kind, ended.error)
        events = [json.loads(line) for line in run_folder(job).events.read_text().splitlines()]
        resumed = [event["step"] for event in events if event["kind"] == "resume"]
        assert resumed
        assert resumed[-1] >= killed_at > 0, "it began anew"
        with capsys.disabled():
            print(f"\n{kind}: killed after its checkpoint of step {killed_at} of {ended.steps}, "
                  f"went on from {resumed[-1]}, done {waited:.0f} s later")  # fmt: skip
        if kind == "evaluate":
            continue  # its twin would need the campaign closed first; sample is the same code
        twin = launch(round_, kind, overrides=overrides | {"seed": job.config["seed"]})
        assert go_on_with_another_worker(log, twin).state == "done"
        assert found(twin) == found(job), f"{kind} came to other numbers"
        if kind == "sample":
            rank_everything(round_)


SEED = int(os.environ.get("ACCORD_KILL_SEED") or random.SystemRandom().randrange(10**6))


@pytest.mark.parametrize("name", FOLDERS)
def test_a_stage_killed_at_a_random_point_comes_to_the_same_to_the_bit(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chance = random.Random(f"{SEED} {name}")
    stage, make = FOLDERS[name]
    load()
    prepared = make(tmp_path / "prepared").root
    began = time.monotonic()
    calm = run_calmly(prepared, stage)
    kills = []
    for number, point in enumerate(POINTS):
        folder, kill = kill_at(point, lambda: fresh(prepared, tmp_path / f"killed{number}"), calm, chance)  # noqa: B023
        go_on(folder, stage)
        for part, expected in calm.outcome.items():
            assert outcome(folder)[part] == expected, f"{part} of {name} differ after {kill}, seed {SEED}"
        kills.append(kill)
    with capsys.disabled():
        points = ", ".join(f"{count} {point}" for point, count in Counter(kill.point for kill in kills).items())
        print(f"\n{name}: undisturbed {calm.end:.1f} s, {calm.checkpoints} checkpoints; seed {SEED}: killed {points} "
              f"({', '.join(f'{kill.seconds:.1f}' for kill in kills)} s; last checkpoints "
              f"{', '.join(str(kill.checkpoint or 'none') for kill in kills)}): equal; "
              f"{time.monotonic() - began:.0f} s")  # fmt: skip
