"""What a run of PPO did, on prompts it never learned from: before, on the way, after, and beside the reference."""

from dataclasses import replace
from typing import Any

from training.rlhf.chance import generator
from training.rlhf.frontier import policy_point, reference_points
from training.rlhf.intervals import interval
from training.rlhf.ppo_job import SAMPLING_TOKENS, Job, Measured, answer, averaged, kl_of
from training.rlhf.rollouts import read_rollouts
from training.rlhf.sampling import Limits


def measure(job: Job) -> Measured:
    """The policy as it is now on held-out prompts, one response each, always with the same random numbers.

    score is the reward model's own number; final_score has what a missing stop costs in it, as training has.
    """
    job.run.phase("validate")
    chance = generator(job.run.config.seed, "held out")
    sampled = answer(job, job.held_out, range(len(job.held_out.ids)), responses_per_prompt=1, chance=chance)
    rollouts = read_rollouts(
        sampled.exchanges, ended=sampled.ended, cast=job.cast, batching=job.batching,
        settings=replace(job.settings, responses_per_prompt=1), kl_coef=job.kl.value,
        step=job.run.progress.status.step, names=job.held_out.ids, conditions=job.held_out.conditions,
        before_batch=job.run.poll,
    )  # fmt: skip
    return {
        "score": rollouts.scores.tolist(),
        "final_score": rollouts.final_scores.tolist(),
        **{f"watch_{number}_score": scores.tolist() for number, scores in enumerate(rollouts.watched)},
        "kl": kl_of(rollouts).tolist(),
        "response_tokens": rollouts.mask.sum(1).double().tolist(),
        "ended": rollouts.ended.double().tolist(),
    }


def measure_on_the_way(job: Job, iteration: int) -> None:
    """The averaged policy on held-out prompts, at evenly spread iterations; the last one is measured anyway."""
    beside, iterations = job.settings.beside, job.settings.iterations
    if beside is None:
        return
    due = {round(place * iterations / (beside.measures + 1)) for place in range(1, beside.measures + 1)}
    if iteration in due - {iterations}:
        with averaged(job):
            places = job.held_out.spread_places(beside.prompts)
            job.on_the_way.append(policy_point(iteration, measure(job), among=places))


def compare(job: Job, after: Measured, *, iterations: int) -> dict[str, Any]:
    """Score against KL of the policy, of the reference at lower temperatures and of its best of n; where asked for."""
    beside = job.settings.beside
    if beside is None:
        return {}
    job.run.phase("validate")
    prompts, lengths = job.held_out.spread(beside.prompts), job.run.config.lengths
    points = reference_points(
        job.cast, prompts, beside, temperature=job.settings.temperature, stop_token_ids=job.tokens.stop_token_ids,
        limits=Limits(lengths.response_tokens, lengths.context_tokens), batching=replace(job.batching, shared=False),
        sampling_tokens=SAMPLING_TOKENS * job.run.micro_batch_tokens, seed=job.run.config.seed,
        before_batch=job.run.poll,
    )  # fmt: skip
    policy = [*job.on_the_way, policy_point(iterations, after, among=job.held_out.spread_places(beside.prompts))]
    return {"beside": {"prompts": len(prompts.ids), "points": [*policy, *points]}}


def make_report(job: Job, after: Measured, *, iterations: int, stopped: str | None) -> dict[str, Any]:
    """Before and after on the same prompts, and the difference prompt by prompt."""
    before = job.before
    assert before is not None
    return {
        "iterations": iterations,
        "episodes": iterations * job.settings.episodes_per_iteration,
        "stopped_early": stopped,
        "prompts": job.prompts.report(),
        "measured_on": {
            "prompts": len(job.held_out.ids),
            "held_out": bool(job.run.config.data.validation),
            "temperature": job.settings.temperature,
        },
        "before": {name: interval(values) for name, values in before.items()},
        "after": {name: interval(values) for name, values in after.items()},
        "gain": {name: interval([b - a for a, b in zip(before[name], after[name], strict=True)]) for name in before},
    }
