"""What the real loop gave, stage by stage: tables to read, the same figures under plain names, and what must hold."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from bench.reporting import Figure, table

if TYPE_CHECKING:
    from training.models import Job

Figures = dict[str, Figure]


def report(jobs: "Mapping[str, Job]", *, seconds: float) -> tuple[str, Figures]:
    """Markdown, and figures whose names carry their unit."""
    figures: Figures = {"total_s": seconds}
    parts = [stage_table(jobs, figures)]
    if "reward" in jobs:
        parts.append(reward_table(jobs["reward"].report or {}, figures))
    if "ppo" in jobs:
        parts.append(ppo_table(jobs["ppo"].report or {}, figures))
    parts.append(f"All of it, imports included: {seconds / 60:.1f} minutes.")
    return "\n\n".join(parts), figures


def stage_table(jobs: "Mapping[str, Job]", figures: Figures) -> str:
    """Wall time, amount of work, records used and too long, first and last loss of each stage."""
    rows: list[tuple[Figure, ...]] = []
    for kind, job in jobs.items():
        found = job.report or {}
        wall = job_seconds(job)
        first, last = losses(job)
        used, too_long = records(kind, found)
        figures |= {f"{kind}_s": wall, f"{kind}_loss_first": first, f"{kind}_loss_last": last}
        figures |= {f"{kind}_records": used, f"{kind}_too_long": too_long}
        held_out = held_out_loss(kind, found)
        figures[f"{kind}_loss_held_out"] = held_out
        rows.append((kind, round(wall), work_done(kind, job), used, too_long, first, last, held_out))
    heads = (
        "stage", "wall s", "work", "records used", "left out as too long", "loss, first tenth", "loss, last tenth",
        "loss, held out",
    )  # fmt: skip
    return table(heads, rows)


def job_seconds(job: "Job") -> float:
    """From the first claim to the end, starting Python and loading torch included."""
    if job.started_at is None or job.finished_at is None:
        return 0.0
    return (job.finished_at - job.started_at).total_seconds()


def losses(job: "Job") -> tuple[float | None, float | None]:
    """Means over the first and the last tenth of the steps: one step's loss is mostly its batch's."""
    key = "value_loss" if job.kind == "ppo" else "loss"
    rows = job.metrics.filter(split="train").order_by("step").values_list("values", flat=True)
    found = [row[key] for row in rows if row.get(key) is not None]
    if not found:
        return None, None
    tenth = max(1, len(found) // 10)
    return sum(found[:tenth]) / tenth, sum(found[-tenth:]) / tenth


def held_out_loss(kind: str, found: Mapping[str, Any]) -> float | None:
    if kind == "reward":
        return found.get("validation", {}).get("loss", {}).get("mean")
    return found.get("validation_loss")


def work_done(kind: str, job: "Job") -> str:
    found = job.report or {}
    if kind == "pretrain":
        return f"{found['tokens']:,} tokens, {found['parameters'] / 1e6:.2f} M parameters"
    if kind == "ppo":
        return f"{found['episodes']:,} episodes"
    if kind == "sample":
        return f"{found['responses']:,} responses"
    if kind == "reward":
        return f"{found['train']['comparisons']:,} comparisons"
    tokens = job.metrics.filter(split="train").order_by("-step").values_list("values__tokens", flat=True).first()
    return f"{tokens:,} tokens" if tokens else f"{job.step:,} steps"


def records(kind: str, found: Mapping[str, Any]) -> tuple[int | None, int | None]:
    """Records learned from, and those left out because they are too long."""
    if kind == "pretrain":
        return found["documents"], 0
    if kind == "sft":
        train = found["demonstrations"]["train"]
        return train["used"], train["left_out"]
    if kind == "reward":
        return found["train"]["prompts"], found["train"]["too_long"]["left_out"]
    counts: Mapping[str, Any] = found.get("prompts") or next(iter(found.get("generators", {}).values()), {})
    return counts.get("prompts"), (counts.get("too_long") or {}).get("left_out")


def reward_table(found: Mapping[str, Any], figures: Figures) -> str:
    """Accuracy on held-out prompts with its interval, beside the longer one and chance."""
    held_out = found.get("validation", {})
    names = {
        "reward model": "accuracy", "the longer one is better": "longer_is_better",
        "reward model minus the longer one": "accuracy_over_longer",
    }  # fmt: skip
    rows: list[tuple[Figure, ...]] = []
    for title, key in names.items():
        if key in held_out:
            rows.append((title, held_out[key]["mean"], shown_interval(held_out[key]), held_out[key]["prompts"]))
            figures |= {
                f"reward_{key}": held_out[key]["mean"], f"reward_{key}_low": held_out[key]["low"],
                f"reward_{key}_high": held_out[key]["high"],
            }  # fmt: skip
    rows.append(("chance", held_out.get("chance", 0.5), "", None))
    head = "Accuracy on held-out comparisons, intervals over prompts:\n\n"
    return head + table(("how", "accuracy", "95 % interval", "prompts"), rows)


def ppo_table(found: Mapping[str, Any], figures: Figures) -> str:
    """The policy before and after, and the difference prompt by prompt."""
    rows: list[tuple[Figure, ...]] = []
    for name in found.get("gain", {}):
        before, after, gain = (found[when][name] for when in ("before", "after", "gain"))
        rows.append((name, before["mean"], after["mean"], gain["mean"], shown_interval(gain)))
        figures |= {
            f"ppo_{name}_before": before["mean"], f"ppo_{name}_after": after["mean"],
            f"ppo_{name}_gain_low": gain["low"],
        }  # fmt: skip
    measured = found.get("measured_on", {})
    figures["ppo_prompts_measured"] = measured.get("prompts")
    where = "held-out" if measured.get("held_out") else "training"
    head = f"The policy on {measured.get('prompts')} {where} prompts, one response each:\n\n"
    return head + table(("figure", "before PPO", "after PPO", "difference", "95 % interval"), rows)


def shown_interval(interval: Mapping[str, Any]) -> str:
    if interval["low"] is None:
        return "none: no prompts"
    return f"{interval['low']:.3g} to {interval['high']:.3g}"


KL_BOUND_NATS = 30.0
"""Of a whole response of at most 64 tokens; a policy beyond it has left the SFT model behind."""


def broken_claims(figures: Figures) -> list[str]:
    """What the loop promises and did not show: a falling loss in each stage, a rising score at bounded KL."""
    wrong = []
    for kind in ("pretrain", "sft", "reward"):
        first, last = figures.get(f"{kind}_loss_first"), figures.get(f"{kind}_loss_last")
        if not (isinstance(first, float) and isinstance(last, float) and last < first):
            wrong.append(f"the loss of {kind} falls ({first} to {last})")
    low = figures.get("ppo_score_gain_low")
    if not (isinstance(low, float) and low > 0):
        wrong.append(f"PPO's score rises (lower bound of the difference: {low})")
    kl = figures.get("ppo_kl_after")
    if not (isinstance(kl, float) and kl < KL_BOUND_NATS):
        wrong.append(f"KL stays below {KL_BOUND_NATS} nats a response ({kl})")
    return wrong
