"""What is compared on held-out prompts, and how each is asked.

Every system answers each prompt once. The base model is asked in its own format, plain text, with and without two
answered questions before; everybody else in the chat format. PPO's checkpoints show the way there.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from training.rehearsal import material
from training.rehearsal.evaluating import Judged, evaluate
from training.rehearsal.phrases import COHORTS
from training.rehearsal.rehearsing import Rehearsal
from training.rlhf.contract.records import Prompt, Response

TEMPERATURES = (1.0, 0.5, 0.0)
BEST_OF = (2, 4, 8, 16)

Evaluated = dict[str, list[Judged]]
"""By the name of a system: "sft, T = 1"."""


def name_of(model: str, temperature: float) -> str:
    return f"{model}, T = {temperature:g}"


@dataclass(frozen=True)
class Asked:
    """A system with what it answered."""

    system: str
    prompts: list[Prompt]
    responses: list[Response]


def evaluate_all(rehearsal: Rehearsal, *, told: bool = True, second_round: bool = True) -> Evaluated:
    """Every system, rated by the raters. What chat models wrote is scored by the reward model too."""
    plain = list(_base(rehearsal))
    chat = [*_pooled(rehearsal, second_round=second_round), *_best_of(rehearsal), *_on_the_way(rehearsal)]
    chat += _told(rehearsal) if told else []
    return _rated(rehearsal, [*plain, *_with_scores(rehearsal, chat)])


def evaluate_some(rehearsal: Rehearsal) -> Evaluated:
    """Base, SFT and policy at T = 1: the least that shows the loop."""
    asked = [_of_base(rehearsal, temperature=1.0, few_shot=False)]
    asked += _sampled(rehearsal, "answers-1", {"sft": rehearsal.sft, "policy": rehearsal.policy}, temperature=1.0)
    return _rated(rehearsal, asked)


def _rated(rehearsal: Rehearsal, asked: Iterable[Asked]) -> Evaluated:
    world, seed = rehearsal.world, rehearsal.seed
    return {one.system: evaluate(world, one.prompts, one.responses, system=one.system, seed=seed) for one in asked}


def _base(rehearsal: Rehearsal) -> Iterator[Asked]:
    for few_shot in (False, True):
        for temperature in TEMPERATURES:
            yield _of_base(rehearsal, temperature=temperature, few_shot=few_shot)


def _of_base(rehearsal: Rehearsal, *, temperature: float, few_shot: bool) -> Asked:
    prompts = material.prompts_to_evaluate(rehearsal.world, rehearsal.recipe, few_shot=few_shot)
    step = f"answers-{'few-shot' if few_shot else 'base'}-{temperature:g}"
    answers = rehearsal.sample(step, {"base": rehearsal.base}, temperature=temperature, prompts=prompts, plain=True)
    return Asked(name_of("base, shown two answers" if few_shot else "base", temperature), prompts, answers)


def _pooled(rehearsal: Rehearsal, *, second_round: bool) -> Iterator[Asked]:
    models: dict[str, Path] = {"sft": rehearsal.sft, "policy": rehearsal.policy}
    if second_round:
        models["second-policy"] = rehearsal.second_policy
    for temperature in TEMPERATURES:
        yield from _sampled(rehearsal, f"answers-{temperature:g}", models, temperature=temperature)


def _sampled(rehearsal: Rehearsal, step: str, models: Mapping[str, Path], *, temperature: float) -> Iterator[Asked]:
    prompts = material.prompts_to_evaluate(rehearsal.world, rehearsal.recipe)
    responses = rehearsal.sample(step, models, temperature=temperature, prompts=prompts)
    for name in models:
        own = [response for response in responses if response.generator == name]
        yield Asked(name_of(name.replace("-", " "), temperature), prompts, own)


def _best_of(rehearsal: Rehearsal) -> Iterator[Asked]:
    prompts = material.prompts_to_evaluate(rehearsal.world, rehearsal.recipe)
    for n in BEST_OF:
        responses = rehearsal.sample(
            f"answers-best-of-{n}", {"sft": rehearsal.sft}, temperature=1.0, prompts=prompts, best_of=n
        )
        yield Asked(f"sft, best of {n}", prompts, responses)


def _on_the_way(rehearsal: Rehearsal) -> Iterator[Asked]:
    """PPO's checkpoints at T = 1, named for their iteration."""
    rehearsal.policy  # noqa: B018 (runs it)
    kept = sorted(rehearsal.done["policy"].folder.checkpoints.glob("step-*"))
    models = {f"policy-at-{int(folder.name.removeprefix('step-'))}": folder / "model" for folder in kept}
    if models:
        yield from _sampled(rehearsal, "answers-on-the-way", models, temperature=1.0)


def _told(rehearsal: Rehearsal) -> Iterator[Asked]:
    """SFT and the conditioned policy, told for whom they write."""
    models = {"sft": rehearsal.sft, "policy": rehearsal.told_policy}
    prompts = material.prompts_to_evaluate(rehearsal.world, rehearsal.recipe)
    for cohort in COHORTS:
        for temperature in (1.0, 0.0):
            responses = rehearsal.sample(
                f"answers-told-{cohort}-{temperature:g}", models, temperature=temperature, prompts=prompts, told=cohort
            )
            for name in models:
                own = [response for response in responses if response.generator == name]
                yield Asked(name_of(f'{name} told "{cohort}"', temperature), prompts, own)


def _with_scores(rehearsal: Rehearsal, asked: list[Asked]) -> list[Asked]:
    """The same, with the pooled reward model's score in every response: one run of `score` for all of them."""
    prompts = material.prompts_to_evaluate(rehearsal.world, rehearsal.recipe)
    renamed = [
        Response(**vars(response) | {"id": f"{number:03d}/{response.id}", "scores": {}})
        for number, one in enumerate(asked)
        for response in one.responses
    ]
    scored: list[list[Response]] = [[] for _ in asked]
    for response in rehearsal.score("scores", rehearsal.reward, prompts, renamed):
        scored[int(response.id.split("/")[0])].append(response)
    return [Asked(one.system, one.prompts, found) for one, found in zip(asked, scored, strict=True)]
