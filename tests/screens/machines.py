"""Two rounds of the Reading Room: one that is over, and one whose PPO is under way. Every figure here is made up."""

import hashlib
import json
import math
import random
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from labeling.models import Generator, Project, User
from tests.screens import words
from tests.screens.clock import NOW
from training.models import Alarm, Checkpoint, Job, JobInput, Metric, Round, Snapshot, Stage, Worker
from training.preflight import MODEL_NEEDS
from training.rounds import open_round
from training.run_folders import run_folder

STEPS = {"pretrain": 400, "sft": 96, "sample": 40, "reward": 60, "ppo": 36, "evaluate": 12}
MINUTES = {"pretrain": 6.2, "sft": 2.4, "sample": 3.1, "reward": 4.8, "ppo": 21, "evaluate": 1.6}
MODEL_OF = {"pretrain": "base", "sft": "sft", "reward": "reward", "ppo": "policy"}


def between(start: float, end: float, share: float) -> float:
    """Fast at first, then slower."""
    return end + (start - end) * math.exp(-3.2 * share)


def curves(kind: str, steps: int, of: int) -> Iterator[tuple[int, str, dict[str, float]]]:
    """What the first steps of a stage wrote: step, split, values."""
    chance = random.Random(f"curves {kind}")

    def about(value: float, spread: float) -> float:
        return round(value + chance.gauss(0, spread), 4)

    for step in range(1, steps + 1):
        share = step / of
        rate = 1e-3 * min(1.0, step / 8) * (1 - share * 0.9)
        if kind in ("pretrain", "sft"):
            start, end = (7.6, 2.1) if kind == "pretrain" else (2.9, 1.62)
            yield step, "train", {
                "loss": about(between(start, end, share), 0.07), "learning_rate": round(rate, 7),
                "gradient_norm": about(between(2.4, 0.7, share), 0.12),
            }  # fmt: skip
            if step % (of // 8) == 0:
                yield step, "valid", {"loss": about(between(start, end, share) + 0.06, 0.01)}
        elif kind == "reward":
            yield step, "train", {
                "loss": about(between(0.70, 0.52, share), 0.035), "accuracy": about(between(0.5, 0.76, share), 0.05),
                "gradient_norm": about(between(1.1, 2.0, share), 0.2),
            }  # fmt: skip
            if step % (of // 6) == 0:
                yield step, "valid", {
                    "loss": about(between(0.69, 0.56, share), 0.004),
                    "accuracy": about(between(0.52, 0.724, share), 0.006),
                }  # fmt: skip
        elif kind == "ppo":
            yield step, "train", {
                "score_mean": about(between(0.02, 1.48, share), 0.06),
                "kl_sequence": about(between(0, 3.1, share), 0.12),
                "entropy": about(between(1.32, 1.04, share), 0.02),
                "policy_loss": about(between(0.004, -0.011, share), 0.003),
                "value_loss": about(between(0.58, 0.16, share), 0.025),
                "response_tokens": about(between(36, 47, share), 1.6),
                "ended_share": min(1.0, about(between(0.91, 0.99, share), 0.006)),
                "clip_share": max(0.0, about(between(0.02, 0.09, share), 0.012)),
                "explained_variance": about(between(-0.1, 0.66, share), 0.04),
            }  # fmt: skip


def interval(mean: float, reach: float) -> dict[str, float]:
    return {"mean": mean, "low": round(mean - reach, 4), "high": round(mean + reach, 4)}


REPORTS: dict[str, dict[str, Any]] = {
    "pretrain": {"tokens": 819_200, "parameters": 941_056, "train_loss": 2.118, "validation_loss": 2.164},
    "sft": {
        "train_loss": 1.624, "best": {"validation_loss": 1.688},
        "demonstrations": {"train": {"used": 1_846, "left_out": 12}},
    },
    "sample": {"responses": 1_240, "temperature": 1},
    "reward": {
        "train": {"comparisons": 5_212},
        "validation": {
            "accuracy": interval(0.724, 0.028), "longer_is_better": interval(0.561, 0.031),
            "accuracy_over_longer": interval(0.163, 0.039), "chance": 0.5, "loss": 0.561,
        },
        "demonstrations": {"mean_score": 0.0},
    },
    "ppo": {
        "before": {"score": interval(0.03, 0.09), "kl": interval(0.0, 0.01), "response_tokens": 36.2},
        "after": {"score": interval(1.41, 0.08), "kl": interval(3.06, 0.11), "response_tokens": 46.8, "ended": 0.991},
        "gain": {"score": interval(1.38, 0.10)},
    },
}  # fmt: skip

READS = {
    "pretrain": (("text", "text", 20_000),),
    "sft": (("demonstrations", "demonstrations", 1_858), ("demonstrations_valid", "demonstrations", 204)),
    "sample": (("prompts", "prompts", 310),),
    "reward": (("rankings", "rankings", 604), ("rankings_valid", "rankings", 71)),
    "ppo": (("prompts", "prompts", 1_420),),
}
"""Stage -> role in the run folder, kind of snapshot, rows."""


def digest(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()


def snapshot(project: Project, role: str, kind: str, rows: int, at: datetime) -> Snapshot:
    split = "valid" if role.endswith("_valid") else "train"
    made = Snapshot.objects.create(
        project=project, kind=kind, rows=rows, bytes=rows * 412, uri=f"{kind}-{rows}.jsonl",
        sha256=digest(f"{kind} {rows}"),
        query={"kind": kind, "split": split, "simulated": "exclude"}, report={"left_out": {}},
    )  # fmt: skip
    Snapshot.objects.filter(pk=made.pk).update(created_at=at)
    return made


def run(
    round_: Round,
    kind: str,
    started: datetime,
    by: User,
    *,
    job_kind: str = "",
    models: Mapping[str, Checkpoint],
    **more: Any,
) -> Job:
    """A stage that was run to its end (or as `more` says), with all that it wrote."""
    stage = round_.stages.get(kind=kind)
    over = started + timedelta(minutes=MINUTES[kind])
    steps = STEPS[kind]
    values = {
        "state": "done",
        "step": steps,
        "finished_at": over,
        "report": REPORTS.get(kind),
        "checkpoint_step": steps,
    }
    job = Job.objects.create(
        project=round_.project, stage=stage, kind=job_kind or kind, created_by=by, attempt=1, steps=steps, queue="cpu",
        config={"stage": kind, "seed": 3141, "hardware": {"device": "cpu", "threads": 2}}
        | round_.recipe["stages"].get(kind, {}),
        started_at=started, **(values | more),
    )  # fmt: skip
    Job.objects.filter(pk=job.pk).update(created_at=started - timedelta(seconds=3))
    for role, asked, rows in READS.get(kind, ()):
        made = snapshot(round_.project, role, asked, rows + 37 * round_.number, started)
        JobInput.objects.create(job=job, role=role, snapshot=made)
    for role, model in models.items():
        JobInput.objects.create(job=job, role=role, checkpoint=model)
    Metric.objects.bulk_create(
        Metric(job=job, step=step, split=split, values=told) for step, split, told in curves(kind, job.step, steps)
    )
    stage.job, stage.state = job, {"done": "done", "failed": "failed"}.get(job.state, "running")
    stage.save()
    write_folder(job, kind)
    return job


def write_folder(job: Job, kind: str) -> None:
    """What the pages read from the run folder: events, metrics, printed lines, and texts of PPO."""
    folder = run_folder(job)
    folder.log(1).mkdir(parents=True)
    at = job.started_at or NOW
    events = [{"kind": "started", "attempt": 1, "at": at.isoformat(), "step": 0}]
    if job.checkpoint_step:
        saved = at + timedelta(minutes=1)
        events.append({"kind": "checkpoint", "attempt": 1, "at": saved.isoformat(), "step": job.checkpoint_step})
    if job.state == "done" and job.finished_at:
        events.append({"kind": "done", "attempt": 1, "at": job.finished_at.isoformat(), "step": job.step})
    lines(folder.events, events)
    rows = [{"step": step, "split": split, **told} for step, split, told in curves(kind, job.step, STEPS[kind])]
    lines(folder.metrics, rows[-12:])
    folder.rank_log(1).write_text("")
    if kind == "ppo":
        lines(folder.samples, rollouts(job.step))
    if job.state == "done" and kind in MODEL_OF:
        folder.model.mkdir()
        (folder.model / "config.json").write_text("{}")


def lines(path: Any, rows: list[dict[str, Any]]) -> None:
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))


def rollouts(last: int) -> list[dict[str, Any]]:
    chance = random.Random("rollouts")
    found = []
    for step in range(3, last + 1, 3):
        for place in range(4):
            _, asked = words.QUESTIONS[(step + place) % len(words.QUESTIONS)]
            start, reason = chance.choice(words.STARTS), chance.choice(words.REASONS)
            score = between(0.0, 1.5, step / 36) + chance.gauss(0, 0.5)
            found.append({
                "step": step, "prompt": f"p{place}", "prompt_text": asked, "text": f"{start} {reason}",
                "score": round(score, 3), "kl": round(between(0, 3.1, step / 36) + chance.gauss(0, 0.4), 3),
                "ended": chance.random() > 0.1,
            })  # fmt: skip
    return found


def release(job: Job, *parents: Checkpoint, at: datetime) -> Checkpoint:
    """The checkpoint that a finished stage made, and whoever writes with it."""
    assert job.stage is not None
    kind = MODEL_OF[job.stage.kind]
    name = f"r{job.stage.round.number}-{job.stage.kind if kind != 'base' else 'base'}"
    writer = None
    if kind != "reward":
        writer, _ = Generator.objects.get_or_create(project=job.project, name=name, defaults={"kind": kind})
    made = Checkpoint.objects.create(
        project=job.project, kind=kind, name=name, uri=f"{job.pk}/model", job=job, sha256=digest(name),
        metrics=job.report or {}, generator=writer,
    )  # fmt: skip
    made.parents.set(parents)
    Checkpoint.objects.filter(pk=made.pk).update(created_at=at)
    return made


def first_round(project: Project, by: User) -> tuple[Round, dict[str, Checkpoint]]:
    """All its stages but the judging are done; nine days ago."""
    begun = NOW - timedelta(days=9, hours=1)
    round_ = open_round(project, by=by)
    made: dict[str, Checkpoint] = {}
    for number, kind in enumerate(("pretrain", "sft", "sample", "reward", "ppo")):
        at = begun + timedelta(hours=3 * number)
        models = {role: made[stage] for role, stage in MODEL_NEEDS[kind].items()}
        job = run(round_, kind, at, by, models=models)
        if kind in MODEL_OF:
            made[kind] = release(job, *models.values(), at=job.finished_at or at)
    Round.objects.filter(pk=round_.pk).update(created_at=begun)
    return round_, made


def base_is_trained(project: Project, by: User) -> None:
    """The first round of a rehearsal, which trains its base model and nothing else."""
    begun = NOW - timedelta(days=1)
    round_ = Round.objects.get(project=project)
    release(run(round_, "pretrain", begun, by, models={}), at=begun + timedelta(minutes=7))
    Round.objects.filter(pk=round_.pk).update(created_at=begun)


def second_round(project: Project, by: User, base: Checkpoint) -> tuple[Round, dict[str, Job]]:
    """Its PPO is at step 23 of 36, after a reward model whose first try failed; today."""
    begun = NOW - timedelta(hours=5)
    round_ = open_round(project, base=base.name, by=by)
    sft = run(round_, "sft", begun, by, models={"init": base})
    made = {"sft": release(sft, base, at=begun + timedelta(minutes=3))}
    run(round_, "sample", begun + timedelta(minutes=12), by, models={"generators": made["sft"]})
    failed = run(
        round_, "reward", begun + timedelta(hours=1), by, models={"init": made["sft"]}, state="failed", step=17,
        report=None, checkpoint_step=10,
        error={"code": "not_finite", "message": "The loss was not finite at step 17. Lower the learning rate, or take "
               "a look at the rankings of task 212, whose responses are empty."},
    )  # fmt: skip
    reward = run(round_, "reward", begun + timedelta(hours=2), by, models={"init": made["sft"]})
    made["reward"] = release(reward, made["sft"], at=begun + timedelta(hours=2, minutes=5))
    models = {"policy": made["sft"], "reward": made["reward"]}
    ppo = run(
        round_, "ppo", NOW - timedelta(minutes=13), by, models=models, state="running", step=23, finished_at=None,
        report=None, checkpoint_step=18, owner="desk-2:4117", lease_until=NOW + timedelta(seconds=57),
        phase="train", seconds_left=460.0,
    )  # fmt: skip
    Round.objects.filter(pk=round_.pk).update(created_at=begun)
    return round_, {"failed": failed, "reward": reward, "ppo": ppo}


def at_work(jobs: Mapping[str, Job]) -> None:
    """Who is up: one at PPO, one that waits, one that has left; and an alarm of what runs."""
    begun = NOW - timedelta(hours=6)
    for name, queues, heard, gpus, left in (
        (jobs["ppo"].owner, ["cpu"], 8, [], None),
        ("desk-3:2211", ["cpu", "gpu"], 3, [{"name": "NVIDIA L4", "memory_bytes": 24 << 30}], None),
        ("cellar:731", ["gpu"], 7200, [], NOW - timedelta(hours=2)),
    ):
        Worker.objects.create(
            name=name, queues=queues, cores=8, memory_bytes=32 << 30, disk_free_bytes=211 << 30, gpus=gpus,
            version="3f9c1d2", started_at=begun, heard_at=NOW - timedelta(seconds=heard), left_at=left,
        )  # fmt: skip
    raised = Alarm.objects.create(
        job=jobs["ppo"], kind=Alarm.Kind.LENGTH, step=19,
        message="Responses have 54 tokens, 35 at the beginning: they grow longer: read for padding (step 19).",
    )  # fmt: skip
    Alarm.objects.filter(pk=raised.pk).update(raised_at=NOW - timedelta(minutes=3))


def judged_by(round_: Round, kind: str, campaign: Any, *, state: str = "done") -> None:
    Stage.objects.filter(round=round_, kind=kind).update(campaign=campaign, state=state)
