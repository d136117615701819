"""Scores by reward models for responses that exist. `python -m training.rlhf.score RUN_DIR`

Responses are read from data files, scored as the token ids they were sampled as, and written again with the scores in
them. A step of the run is a prompt whose responses were scored by one reward model; checkpoints hold the scores so far,
and a run that is cut off goes on from there and writes the same.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from training.rlhf import batching as batches
from training.rlhf import checkpoints
from training.rlhf.attempt import run_stage
from training.rlhf.batching import Batching
from training.rlhf.contract.exit_codes import DataRefused
from training.rlhf.contract.records import Prompt, Response
from training.rlhf.ensemble import Ensemble
from training.rlhf.inputs import only
from training.rlhf.intervals import interval
from training.rlhf.layouts import Exchange, obeys_masks
from training.rlhf.models import check_context, compute_in
from training.rlhf.run import Run
from training.rlhf.steps import need_finite
from training.rlhf.tokens import Budget, ChatTokens, load_tokenizer, prepare_tokens

Group = tuple[Exchange, list[str], str | None]
Scored = dict[str, dict[int, list[float]]]
"""By reward model and number of the group of responses."""


@dataclass(frozen=True)
class Asked:
    """What a reward model is to score, in its own tokens: exchanges with the ids of their responses, and what the
    model is told."""

    name: str
    groups: list[Group]
    left_out: dict[str, Any]


def train(run: Run) -> None:
    """Named as in every stage; nothing is trained."""
    found = load_scored(run.resume())
    prompts = {row.id: row for row in only(Prompt, run.inputs.rows(run.config.data.prompts, "prompt"))}
    rows = only(Response, run.inputs.rows(run.config.data.responses, "response"))
    check_prompts(prompts, rows)
    names = sorted(run.config.models.rewards)
    asked = [ask(run, name, prompts, rows) for name in names]
    run.plan(sum(len(one.groups) for one in asked))
    report: dict[str, Any] = {}
    with compute_in(run.config.precision, run.device):
        for one in asked:
            run.phase("score")
            rows = score(run, one, rows, found)
            report[one.name] = {"too_long": one.left_out, "generators": describe(rows, one.name)}
    run.write_output("responses", "response", rows)
    run.release(None, {"responses": len(rows), "rewards": report})


def check_prompts(prompts: Mapping[str, Prompt], rows: Sequence[Response]) -> None:
    """Raises DataRefused if there is nothing to score, or a response answers a prompt that is not there."""
    if not rows:
        raise DataRefused("data.responses hold no response; expected at least one")
    for row in rows:
        if row.prompt not in prompts:
            raise DataRefused(f"response {row.id} answers prompt {row.prompt}, which is not in data.prompts")


def ask(run: Run, name: str, prompts: Mapping[str, Prompt], rows: Sequence[Response]) -> Asked:
    """Encodes the responses for one reward model. Raises DataRefused before any model is loaded."""
    tokens = prepare_tokens(
        load_tokenizer(run.inputs.models[f"rewards.{name}"].folder), run.config.tokens, run.config.conditioning
    )
    budget = Budget(run.config.lengths)
    groups = group_by_prompt(run, prompts, rows, tokens=tokens, budget=budget)
    return Asked(name, groups, budget.report())


def score(run: Run, asked: Asked, rows: Sequence[Response], scored: Scored) -> list[Response]:
    """The rows with one more score each, but for those that are too long. scored: grows, and checkpoints keep it."""
    model = Ensemble.load(run.inputs.models[f"rewards.{asked.name}"].folder, device=run.device)
    context_tokens = run.config.lengths.context_tokens
    check_context(model.trunk, context_tokens)
    shared = obeys_masks(model.trunk, vocabulary=model.trunk.config.vocab_size, context_tokens=context_tokens)
    scores = batches.score(
        model, [exchange for exchange, _, _ in asked.groups],
        batching=Batching(tokens=run.micro_batch_tokens, shared=shared, device=run.device), before_batch=run.poll,
        scored=scored.setdefault(asked.name, {}), shifts=[model.shift(condition) for _, _, condition in asked.groups],
        after_batch=lambda: run.end_step(
            sum(map(len, scored.values())), lambda folder: checkpoints.save_trainer(folder, {"scored": scored})
        ),
    )  # fmt: skip
    found: dict[str, float] = {}
    for (_, ids, _), said in zip(asked.groups, scores, strict=True):
        for row_id, of_row in zip(ids, said, strict=True):
            need_finite(of_row, response=row_id, model=f"models.rewards.{asked.name}")
            found[row_id] = of_row
    return [replace(row, scores={**row.scores, asked.name: found[row.id]}) if row.id in found else row for row in rows]


def load_scored(checkpoint: checkpoints.Checkpoint | None) -> Scored:
    """From a checkpoint; nothing where there is none."""
    return checkpoints.load_trainer(checkpoint)["scored"] if checkpoint else {}


def group_by_prompt(
    run: Run, prompts: Mapping[str, Prompt], rows: Sequence[Response], *, tokens: ChatTokens, budget: Budget
) -> list[Group]:
    """Responses to one prompt under one condition together, with their ids; those that are too long are left out.

    Raises DataRefused for token ids that this model does not have.
    """
    told = run.config.conditioning.mode == "message"
    encoded: dict[tuple[str, str | None], list[int]] = {}
    fitting: dict[tuple[str, str | None], list[Response]] = defaultdict(list)
    for row in rows:
        key = (row.prompt, row.condition if told else None)
        if key not in encoded:
            encoded[key] = tokens.prompt_of(prompts[row.prompt], condition=key[1])
        if not row.token_ids:
            raise DataRefused(f"response {row.id} has no token ids; expected at least the one that ends it")
        if max(row.token_ids) >= tokens.vocabulary or min(row.token_ids) < 0:
            raise DataRefused(
                f"response {row.id} has token ids outside a vocabulary of {tokens.vocabulary}: another model's "
                "tokenizer wrote them"
            )
        if budget.fits(row, prompt=encoded[key], responses=[row.token_ids]):
            fitting[key].append(row)
    return [
        (Exchange(encoded[key], [row.token_ids for row in group]), [row.id for row in group], key[1])
        for key, group in fitting.items()
    ]


def describe(rows: Sequence[Response], name: str) -> dict[str, Any]:
    """Mean score of each generator, with an interval over prompts."""
    found: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        if name in row.scores:
            found[row.generator][row.prompt].append(row.scores[name])
    return {
        generator: interval([sum(said) for said in of.values()], [float(len(said)) for said in of.values()])
        for generator, of in sorted(found.items())
    }


if __name__ == "__main__":
    run_stage("score", train)
