"""Responses to prompts from one or several models. `python -m training.rlhf.sample RUN_DIR`

Each generator answers every prompt K times at one temperature, asked in the format that it knows; with best_of, each of
its K is the best of n by a reward model. What was sampled is kept as token ids. A step of the run is a prompt answered
by a generator; checkpoints hold what is answered so far, and a run that is cut off goes on from there and writes the
same responses.
"""

from collections.abc import Sequence
from dataclasses import astuple, dataclass, replace
from pathlib import Path
from typing import Any

from torch import nn
from transformers import PreTrainedModel

from training.rlhf import checkpoints
from training.rlhf.attempt import run_stage
from training.rlhf.batching import Batching, score
from training.rlhf.chance import generator
from training.rlhf.contract import records
from training.rlhf.contract.exit_codes import ConfigRefused
from training.rlhf.contract.stages import Sample
from training.rlhf.ensemble import Ensemble
from training.rlhf.intervals import interval
from training.rlhf.layouts import Exchange
from training.rlhf.models import check_context, compute_in, load_causal_lm
from training.rlhf.prompts import EncodedPrompts, read_prompts
from training.rlhf.run import Run
from training.rlhf.sampling import Limits, Response, sample_responses
from training.rlhf.tokens import ChatTokens, difference, load_tokenizer, prepare_tokens

CACHE_TOKENS = 8
"""Times micro_batch_tokens may be held in a cache: sampling keeps no activations."""
BEST_OF_SCORE = "best_of"
"""Name of the score by which the best of n was chosen."""


@dataclass(frozen=True)
class Asked:
    """What a generator is asked, in its own tokens."""

    name: str
    tokens: ChatTokens
    prompts: EncodedPrompts


@dataclass(frozen=True)
class Answered:
    """What one generator wrote: for each prompt, its responses and their scores (empty without best_of)."""

    prompts: EncodedPrompts
    responses: list[list[Response]]
    scores: list[list[float]]


def train(run: Run) -> None:
    """Named as in every stage; nothing is trained."""
    settings = settings_of(run)
    drawn = load_drawn(run.resume())
    asked = [ask(run, name) for name in sorted(run.config.models.generators)]
    run.plan(sum(len(one.prompts.token_ids) for one in asked))
    rows: list[records.Response] = []
    report: dict[str, Any] = {}
    with compute_in(run.config.precision, run.device):
        for one in asked:
            run.phase("generate")
            answered = answer(run, one, drawn)
            rows += to_rows(answered, one.name, one.tokens)
            report[one.name] = describe(answered)
    run.write_output("responses", "response", rows)
    run.release(None, {"responses": len(rows), "temperature": settings.temperature, "generators": report})


def settings_of(run: Run) -> Sample:
    assert run.config.sample is not None
    return run.config.sample


def tokens_of(run: Run, name: str) -> ChatTokens:
    """The generator's tokenizer, in the format that it is to be asked in."""
    return _prepared(run, run.inputs.models[f"generators.{name}"].folder, name)


def _prepared(run: Run, folder: Path, name: str) -> ChatTokens:
    """A model's tokenizer, in the format that this generator is asked in."""
    tokens = run.config.tokens
    asked = replace(tokens, prompt_format=settings_of(run).formats.get(name, tokens.prompt_format))
    return prepare_tokens(load_tokenizer(folder), asked, run.config.conditioning)


def ask(run: Run, name: str) -> Asked:
    """Reads a generator's prompts. Raises ConfigRefused or DataRefused before any model is loaded."""
    config, settings = run.config, settings_of(run)
    tokens = tokens_of(run, name)
    told = settings.told.get(name, settings.condition)
    prompts = read_prompts(run, tokens, config.data.prompts, condition=told)
    return Asked(name, tokens, prompts if settings.limit_prompts is None else prompts.spread(settings.limit_prompts))


Drawn = dict[str, dict[int, list[Response]]]
"""By generator and number of the prompt."""


def answer(run: Run, asked: Asked, drawn: Drawn) -> Answered:
    """All responses of one generator. drawn: what is answered so far; it grows, and checkpoints keep it."""
    config, settings = run.config, settings_of(run)
    model = load_causal_lm(run.inputs.models[f"generators.{asked.name}"].folder, device=run.device)
    check_context(model, config.lengths.context_tokens)
    check_vocabulary(model, asked)
    copies = settings.responses_per_prompt * (settings.best_of.n if settings.best_of else 1)
    responses = sample_responses(
        model, asked.prompts.token_ids, responses_per_prompt=copies, stop_token_ids=asked.tokens.stop_token_ids,
        limits=Limits(config.lengths.response_tokens, config.lengths.context_tokens),
        temperature=settings.temperature, generator=generator(config.seed, f"sample {asked.name}"),
        batch_tokens=CACHE_TOKENS * run.micro_batch_tokens, before_batch=run.poll,
        answered=drawn.setdefault(asked.name, {}), names=asked.prompts.ids,
        after_batch=lambda: run.end_step(sum(map(len, drawn.values())), lambda folder: save_drawn(folder, drawn)),
    )  # fmt: skip
    if settings.best_of is None:
        return Answered(asked.prompts, responses, [])
    return keep_best(run, asked.name, Answered(asked.prompts, responses, []), n=settings.best_of.n, tokens=asked.tokens)


def check_vocabulary(model: PreTrainedModel, asked: Asked) -> None:
    """Raises ConfigRefused if the tokens of a chat are more than the model has."""
    embeddings = model.get_input_embeddings()
    assert isinstance(embeddings, nn.Embedding)
    if asked.tokens.vocabulary > embeddings.num_embeddings:
        raise ConfigRefused(
            f"models.generators.{asked.name} has no chat tokens: its vocabulary of {embeddings.num_embeddings} would "
            f'have to grow to {asked.tokens.vocabulary}; ask a model that never saw a chat in the format "plain" '
            "(sample.formats)"
        )


def save_drawn(folder: Path, drawn: Drawn) -> None:
    """Into a checkpoint, as plain lists."""
    plain = {
        name: {number: [astuple(response) for response in group] for number, group in groups.items()}
        for name, groups in drawn.items()
    }
    checkpoints.save_trainer(folder, {"drawn": plain})


def load_drawn(checkpoint: checkpoints.Checkpoint | None) -> Drawn:
    """From a checkpoint; nothing where there is none."""
    if checkpoint is None:
        return {}
    return {
        name: {number: [Response(*response) for response in group] for number, group in groups.items()}
        for name, groups in checkpoints.load_trainer(checkpoint)["drawn"].items()
    }


def keep_best(run: Run, name: str, drawn: Answered, *, n: int, tokens: ChatTokens) -> Answered:
    """Of every n responses to a prompt the one with the highest score; the first of them where scores are equal."""
    run.phase("score")
    folder = run.inputs.models["reward"].folder
    if differs := difference(_prepared(run, folder, name), tokens):
        raise ConfigRefused(f"models.reward has {differs} than models.generators.{name}: it cannot rank for it")
    exchanges = [
        Exchange(prompt, [response.token_ids for response in group])
        for prompt, group in zip(drawn.prompts.token_ids, drawn.responses, strict=True)
    ]
    batching = Batching(tokens=run.micro_batch_tokens, shared=False, device=run.device)
    reward = Ensemble.load(folder, device=run.device)
    shifts = [reward.shift(condition) for condition in drawn.prompts.conditions]
    scores = score(reward, exchanges, batching=batching, before_batch=run.poll, shifts=shifts)
    chosen = [best_of_each(said, n=n) for said in scores]
    return Answered(
        drawn.prompts,
        [[group[place] for place in places] for group, places in zip(drawn.responses, chosen, strict=True)],
        [[said[place] for place in places] for said, places in zip(scores, chosen, strict=True)],
    )


def best_of_each(scores: Sequence[float], *, n: int) -> list[int]:
    """The place of the highest of the first n scores, of the next n, and so on."""
    return [
        max(range(first, first + n), key=lambda place: (scores[place], -place)) for first in range(0, len(scores), n)
    ]


def to_rows(answered: Answered, name: str, tokens: ChatTokens) -> list[records.Response]:
    rows = []
    for number, group in enumerate(answered.responses):
        prompt = answered.prompts.ids[number]
        for copy, response in enumerate(group):
            rows.append(records.Response(
                id=f"{prompt}.{name}.{copy}", prompt=prompt, text=tokens.text(response.token_ids),
                token_ids=tuple(response.token_ids), finish="stop" if response.ended else "length",
                logprob=sum(response.logprobs), generator=name, condition=answered.prompts.conditions[number],
                scores={BEST_OF_SCORE: answered.scores[number][copy]} if answered.scores else {},
            ))  # fmt: skip
    return rows


def describe(answered: Answered) -> dict[str, Any]:
    """Counts and lengths for the report."""
    groups = answered.responses
    counts = [float(len(group)) for group in groups]
    return {
        **answered.prompts.report(),
        "responses": int(sum(counts)),
        "ended_share": interval([float(sum(response.ended for response in group)) for group in groups], counts),
        "response_tokens": interval(
            [float(sum(len(response.token_ids) for response in group)) for group in groups], counts
        ),
        **({"score": interval([sum(said) for said in answered.scores], counts)} if answered.scores else {}),
    }


if __name__ == "__main__":
    run_stage("sample", train)
