"""What bench/training.py says: ratios beside their goals, PPO's phases, and the share of the machine's peak."""

import time
from collections.abc import Iterable, Sequence
from statistics import median

import torch

from bench.duels import Side
from bench.reporting import Figure, median_and_range, table
from bench.training_contests import EPISODES, MINIBATCHES, Result
from bench.training_models import Shape
from bench.training_runs import THREADS

MATRIX = 1024


def peak_gflops(seconds: float = 1.0) -> float:
    """The best of a second of float32 matrix products, in thousand million operations a second."""
    torch.set_num_threads(THREADS)
    left, right = torch.randn(MATRIX, MATRIX), torch.randn(MATRIX, MATRIX)
    best, end = float("inf"), time.perf_counter() + seconds
    while time.perf_counter() < end:
        started = time.perf_counter()
        torch.mm(left, right)
        best = min(best, time.perf_counter() - started)
    return 2 * MATRIX**3 / best / 1e9


def ppo_operations(shape: Shape, result: Result) -> dict[str, float]:
    """Floating point operations that an iteration cannot do without, by phase; attention is left out: it is small here.

    Generation reads every prompt once for its K responses. Scoring reads each response behind its prompt with four
    models, two of which have a language model head. The update reads it with two models, forward and backward (3
    times a forward pass), in each epoch.
    """
    about = result.about
    prompt, response, copies, epochs = (about[name] for name in ("P", "R", "K", "epochs"))
    trunk, head = 2 * shape.trunk_weights, 2 * shape.head_weights
    read_once = prompt / copies + response
    return {
        "generate": EPISODES * (trunk * read_once + head * response),
        "score": EPISODES * (4 * trunk * read_once + 2 * head * response),
        "update": EPISODES * epochs * 3 * (2 * trunk * read_once + head * response),
    }


def broken_goals(results: Iterable[Result]) -> list[str]:
    found = []
    for result in results:
        for goal in result.goals:
            times = median(result.duel.ratios[goal.peer])
            if not _asked(result, goal.peer):
                continue
            if times < goal.times:
                found.append(f"{result.name}: {times:.2f} times {goal.peer}, {goal.times:g} asked")
    return found


def _asked(result: Result, peer: str) -> bool:
    """Sharing the prompt is asked to pay where a prompt is at least twice as long as a response."""
    return peer != "Accord, one by one" or result.about["P"] >= 2 * result.about["R"]


def page(where: str, results: Sequence[Result], *, shape: Shape, gflops: float, pairs: int) -> str:
    parts = [
        "# Training beside TRL",
        f"Written by `python bench/training.py --write` on {where}. TRL is 1.16 for SFT and the reward model and 1.12, "
        "the last with PPO, for PPO, each in an environment of its own. The model is a Llama of "
        f"{(shape.trunk_weights + 2 * shape.head_weights) / 1e6:.1f}M weights ({shape.layers} layers of {shape.width}, "
        f"vocabulary {shape.vocabulary:,}), float32, sdpa, {THREADS} threads. Other programs shared the cores: the two "
        f"sides took turns, {pairs} each, and a ratio is that of neighbouring turns. Ranges are in parentheses. "
        "By time on a core counts how long a side's threads had one, which neighbours change less than the clock. "
        "Waiting threads sleep on both sides (OMP_WAIT_POLICY=PASSIVE); TRL's side has transformers 5.24.0. Above K = "
        "2 the responses of a prompt are its own two and the better ones of the dialogues that follow it.",
        "## Ratios",
        ratio_table(results),
        "## Rates and peak memory",
        rate_table(results),
        *about(results),
    ]
    if any("epochs" in result.about for result in results):
        parts += ["## Where PPO's time goes", phase_table(results, shape=shape, gflops=gflops)]
        parts.append(
            f"A batch is {EPISODES} episodes in {MINIBATCHES} minibatches, with a value network apart. The share of "
            "the peak is of the operations an iteration cannot do without (each prompt read once, heads on response "
            f"tokens only, attention left out) at {gflops:,.0f} thousand million a second, what a product of "
            f"two {MATRIX} x {MATRIX} matrices reached here; a side that computes more has a smaller share."
        )
    return "\n\n".join(parts)


def ratio_table(results: Iterable[Result]) -> str:
    rows: list[list[Figure]] = []
    for result in results:
        goals = {goal.peer: goal for goal in result.goals}
        for name, ratios in result.duel.ratios.items():
            goal = goals.get(name)
            asked = None
            if goal is not None and _asked(result, name):
                kept = "kept" if median(ratios) >= goal.times else "not reached"
                asked = f"{goal.times:g}{f', aim {goal.aim:g}' if goal.aim else ''}: {kept}"
            worked = median_and_range(result.duel.processor_ratios[name])
            rows.append([result.name, name, median_and_range(ratios), worked, asked])
    return table(("work", "Accord's rate in times of", "median (range)", "by time on a core", "asked"), rows)


def rate_table(results: Iterable[Result]) -> str:
    rows: list[list[Figure]] = [
        [result.name, side.name, f"{result.unit}/s", side.rate, side.peak_mib]
        for result in results
        for side in (result.duel.ours, *result.duel.peers)
    ]
    return table(("work", "side", "unit", "rate", "peak memory, MiB"), rows)


def about(results: Iterable[Result]) -> list[str]:
    """What was worked on, a line for each contest."""
    lines = []
    for result in results:
        told = result.about
        if "mean_tokens" in told:
            lines.append(
                f"- {result.name}: {told['demonstrations']:,} demonstrations by people, {told['mean_tokens']:.0f} "
                f"tokens on average, {told['mean_response_tokens']:.0f} of them response. "
                f"First loss on the same batch: {told['first_loss']:.4f} on both sides."
            )
        elif "epochs" in told:
            lines.append(
                f"- {result.name}: P {told['P']:.0f}, R {told['R']:.0f} (last iteration), "
                f"{100 * told['ended']:.0f} % of the responses ended by themselves."
            )
        else:
            lines.append(
                f"- {result.name}: {told['prompts']:,} prompts, P {told['P']:.0f}, R {told['R']:.0f}. First loss on "
                f"the same batch: {told['first_loss']:.4f} on both sides."
            )
    return ["\n".join(lines)]


def phase_table(results: Iterable[Result], *, shape: Shape, gflops: float) -> str:
    rows: list[list[Figure]] = []
    for result in results:
        if "epochs" not in result.about:
            continue
        needed = ppo_operations(shape, result)
        for side in (result.duel.ours, *result.duel.peers):
            rows.append([result.name, side.name, *_phase_cells(side, needed, gflops=gflops)])
    phases = [f"{name} s (share of peak)" for name in ("generate", "score", "update")]
    return table(("work", "side", *phases, "whole, share of peak"), rows)


def _phase_cells(side: Side, needed: dict[str, float], *, gflops: float) -> list[Figure]:
    seconds = side.phases()
    cells: list[Figure] = [
        f"{seconds[name]:.2f} ({100 * needed[name] / seconds[name] / gflops / 1e9:.0f} %)" for name in needed
    ]
    whole = sum(needed.values()) / median(turn.seconds for turn in side.turns) / gflops / 1e9
    return [*cells, f"{100 * whole:.0f} %"]


def figures(results: Iterable[Result]) -> dict[str, Figure]:
    """Under plain names: `reward_model_k_2_times_trl`, `sft_accord_real_tokens_per_s`."""
    told: dict[str, Figure] = {}
    for result in results:
        name = _plain(result.name)
        for other, ratios in result.duel.ratios.items():
            told[f"{name}_times_{_plain(other)}"] = median(ratios)
            told[f"{name}_times_{_plain(other)}_by_core_time"] = median(result.duel.processor_ratios[other])
        for side in (result.duel.ours, *result.duel.peers):
            told[f"{name}_{_plain(side.name)}_{_plain(result.unit)}_per_s"] = side.rate
            told[f"{name}_{_plain(side.name)}_peak_mib"] = side.peak_mib
    return told


def _plain(words: str) -> str:
    return "_".join("".join(c if c.isalnum() else " " for c in words.lower()).split())
