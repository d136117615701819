"""Supervised fine-tuning: the model learns to write what people wrote.

    python -m training.rlhf.sft RUN_DIR

The loss is on response tokens only, the end of turn among them, and is divided by their number in the whole step. Short
demonstrations share a row, kept apart by mask and positions. After every epoch the held-out demonstrations are
measured; released is the epoch that predicts them best, or whose own responses a reward model scores highest, or the
last one.
"""

import time
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel

from training.rlhf import checkpoints
from training.rlhf.attempt import run_stage
from training.rlhf.batching import Batching, score
from training.rlhf.chance import generator
from training.rlhf.contract.exit_codes import ConfigRefused
from training.rlhf.contract.records import Demonstration, Text
from training.rlhf.demonstrations import (
    Item,
    encode_demonstrations,
    encode_texts,
    need_demonstrations,
    plan_steps,
    texts_per_epoch,
    without_weight,
)
from training.rlhf.ensemble import Ensemble
from training.rlhf.inputs import only
from training.rlhf.layouts import Exchange, Layout, obeys_masks, pack, packed, response_logits
from training.rlhf.losses import token_logprobs
from training.rlhf.models import (
    add_residual_dropout,
    check_context,
    compute_in,
    grow_vocabulary,
    load_causal_lm,
    save_causal_lm,
    trunk_of,
)
from training.rlhf.prompts import refuse_shared_prompts
from training.rlhf.release import ModelFacts
from training.rlhf.run import Run
from training.rlhf.sampling import Limits, sample_responses
from training.rlhf.steps import adam, micro_batches, rate_factor, set_rate, take_step
from training.rlhf.tokens import Budget, ChatTokens, difference, load_tokenizer, prepare_tokens

SAMPLE_TOKENS = 128
JUDGED_PROMPTS = 256
"""Answered at the end of an epoch, where a reward model chooses among epochs."""


def train(run: Run) -> None:
    config, settings = run.config, run.config.sft
    assert settings is not None
    checkpoint = run.resume()
    folder = checkpoint.model if checkpoint else run.inputs.models["init"].folder
    tokens = prepare_tokens(load_tokenizer(folder), config.tokens, config.conditioning)
    items, validation, counts = read_demonstrations(run, tokens)
    texts = read_texts(run, tokens, demonstrations=len(items))
    epochs = plan_steps(items, texts, settings, seed=config.seed)
    steps = sum(map(len, epochs))

    hardware = config.hardware
    model = load_causal_lm(folder, device=run.device, activation_checkpointing=hardware.activation_checkpointing)
    grow_vocabulary(model, tokens)
    check_context(model, config.lengths.context_tokens)
    together = settings.pack and packs(run, model)
    add_residual_dropout(model, settings.residual_dropout)
    model.train()
    parameters = list(model.parameters())
    optimizer = adam(parameters, config.optimizer)
    judge = load_judge(run, tokens)
    best: dict[str, Any] = {"step": 0, "validation_loss": None, "reward_score": None}
    figures: dict[str, float] = {"tokens": 0}
    if checkpoint:
        state = checkpoints.load_trainer(checkpoint)
        optimizer.load_state_dict(state["optimizer"])
        best, figures = state["best"], state["figures"]
        run.kept_steps = steps_to_keep(epochs if settings.keep_epochs else [], best, now=best["step"])
    run.model_facts = ModelFacts(kind="sft", stop_token_ids=tokens.stop_token_ids)

    def save(folder: Path) -> None:
        save_causal_lm(model, tokens, folder)
        checkpoints.save_trainer(folder, {"optimizer": optimizer.state_dict(), "best": best, "figures": figures})

    run.plan(steps)
    run.phase("train")
    step = 0
    for epoch, plan in enumerate(epochs, start=1):
        for number, batch in enumerate(plan, start=1):
            step += 1
            if checkpoint and step <= checkpoint.step:
                continue
            started = time.monotonic()
            set_rate([optimizer], rate_factor(step, steps=steps, optimizer=config.optimizer))
            loss = add_gradients(run, model, batch, together=together)
            figures["train_loss"], norm = take_step(
                [optimizer], parameters, loss=loss, clip_norm=config.optimizer.clip_norm, step=step,
                prompts=[item.id for item in batch],
            )  # fmt: skip
            step_tokens = sum(item.exchange.tokens for item in batch)
            figures["tokens"] += step_tokens
            run.log(step, {
                "loss": figures["train_loss"], "gradient_norm": norm, "tokens": figures["tokens"],
                "learning_rate": optimizer.param_groups[0]["lr"], "epoch": epoch - 1 + number / len(plan),
                "tokens_per_second": step_tokens / (time.monotonic() - started),
            })  # fmt: skip
            if step % config.logging.samples_every_steps == 0 or step == steps:
                write_samples(run, model, tokens, validation or items, step=step)
            end_of_epoch = number == len(plan)
            if end_of_epoch and validation:
                figures["validation_loss"] = validate(run, model, validation, together=together)
                if judge is not None:
                    figures["reward_score"] = score_responses(run, model, tokens, validation, judge)
                told = {"score_mean": figures["reward_score"]} if judge is not None else {}
                run.log(step, {"loss": figures["validation_loss"], **told}, split="valid")
                note_best(best, step=step, loss=figures["validation_loss"], score=figures.get("reward_score"))
            if end_of_epoch:
                run.kept_steps = steps_to_keep(epochs if settings.keep_epochs else [], best, now=step)
            run.end_step(step, save)

    chosen = best["step"] if settings.select != "last" and best["step"] else steps
    run.release(chosen, report={
        "stage": "sft", "steps": steps, "epochs": settings.epochs, "selected": settings.select, "best": best,
        "demonstrations": counts, **figures, "seconds": round(run.progress.seconds, 1),
    })  # fmt: skip


def read_demonstrations(run: Run, tokens: ChatTokens) -> tuple[list[Item], list[Item], dict[str, Any]]:
    """Training and held-out demonstrations as ids, and the counts of what was read, used and too long.

    Raises DataRefused if there is nothing to learn from, or nothing left of the held-out ones, or a prompt is in both.
    """
    found: dict[str, list[Item]] = {}
    counts: dict[str, Any] = {}
    read: dict[str, list[Demonstration]] = {}
    for use, names in (("train", run.config.data.train), ("validation", run.config.data.validation)):
        budget = Budget(run.config.lengths)
        rows = only(Demonstration, run.inputs.rows(names, "demonstration"))
        dropout = 0.0 if use == "validation" else None
        found[use] = encode_demonstrations(rows, tokens, run.config, budget, dropout=dropout)
        if names:
            need_demonstrations(found[use], rows=rows, budget=budget, use=use)
        counts[use] = {
            "rows": len(rows), "used": len(found[use]), "without_weight": without_weight(rows), **budget.report(),
        }  # fmt: skip
        if budget.left_out or without_weight(rows):
            run.event("records_left_out", use=use, without_weight=without_weight(rows), **budget.report())
        read[use] = rows
    refuse_shared_prompts(read["train"], read["validation"])
    return found["train"], found["validation"], counts


def read_texts(run: Run, tokens: ChatTokens, *, demonstrations: int) -> list[Item]:
    """The windows of pretraining text that all epochs together mix in."""
    settings = run.config.sft
    assert settings is not None
    if not settings.pretrain_fraction:
        return []
    rows = only(Text, run.inputs.rows(run.config.data.pretraining, "text"))
    count = settings.epochs * texts_per_epoch(demonstrations, settings.pretrain_fraction)
    return encode_texts(rows, tokens, run.config, count=count)


def packs(run: Run, model: PreTrainedModel) -> bool:
    """Whether several demonstrations may share a row: a model that misreads the mask gets a row for each."""
    context_tokens = run.config.lengths.context_tokens
    obeys = obeys_masks(trunk_of(model), vocabulary=model.config.vocab_size, context_tokens=context_tokens)
    if not obeys:
        run.event("not_packed", message=f"{type(model).__name__} does not follow an explicit mask: a row each")
    return obeys


def add_gradients(run: Run, model: PreTrainedModel, batch: Sequence[Item], *, together: bool) -> Tensor:
    """Backward through one step's items. Returns its loss: the weighted mean surprise of a response token, in nats."""
    count = weighted_tokens(batch)
    total = torch.zeros((), device=run.device)
    for rows in lay_out(batch, together=together, tokens=run.micro_batch_tokens):
        run.poll()
        loss = rows_loss(run, model, rows) / count
        loss.backward()
        total += loss.detach()
    return total


def weighted_tokens(batch: Sequence[Item]) -> float:
    """What the sum of a step's losses is divided by, however the step is cut: its response tokens by their weight."""
    return sum(item.weight * item.response_tokens for item in batch)


def lay_out(batch: Sequence[Item], *, together: bool, tokens: int) -> list[list[list[Item]]]:
    """Items -> micro-batches -> rows -> items. A row is as long as the longest item, so that little is padding."""
    sizes = [item.exchange.tokens for item in batch]
    rows = pack(sizes, row_tokens=max(sizes)) if together else [[number] for number in range(len(batch))]
    widths = [sum(sizes[number] for number in row) for row in rows]
    return [[[batch[number] for number in rows[row]] for row in cut] for cut in micro_batches(widths, tokens=tokens)]


def rows_loss(run: Run, model: PreTrainedModel, rows: Sequence[Sequence[Item]]) -> Tensor:
    """Weighted sum of the surprise at every response token of these rows, in nats."""
    layout: Layout = packed([[item.exchange for item in row] for row in rows], device=run.device)
    with compute_in(run.config.precision, run.device):
        logits = response_logits(model, layout)
    logprobs = token_logprobs(logits, layout.targets)
    weights = torch.tensor([item.weight for row in rows for item in row], device=run.device)
    return -(weights[layout.response] * logprobs).sum()


@torch.no_grad()
def validate(run: Run, model: PreTrainedModel, items: Sequence[Item], *, together: bool) -> float:
    """Weighted mean surprise of a response token of held-out demonstrations, in nats."""
    run.phase("validate")
    model.eval()
    total = 0.0
    for rows in lay_out(items, together=together, tokens=run.micro_batch_tokens):
        run.poll()
        total += float(rows_loss(run, model, rows))
    model.train()
    run.phase("train")
    return total / weighted_tokens(items)


def load_judge(run: Run, tokens: ChatTokens) -> Ensemble | None:
    """The reward model that chooses the epoch, where one does. Raises ConfigRefused if it reads other tokens."""
    if "reward" not in run.inputs.models:
        return None
    folder = run.inputs.models["reward"].folder
    other = prepare_tokens(load_tokenizer(folder), run.config.tokens, run.config.conditioning)
    if differs := difference(other, tokens):
        raise ConfigRefused(f"models.reward has {differs} than models.init: it cannot score what this one writes")
    return Ensemble.load(folder, device=run.device)


def score_responses(
    run: Run, model: PreTrainedModel, tokens: ChatTokens, items: Sequence[Item], judge: Ensemble
) -> float:
    """Mean score of a response to each held-out prompt, up to JUDGED_PROMPTS of them, drawn with the same random
    numbers at every epoch. What is told a condition is scored by that condition's zero."""
    run.phase("generate")
    count = min(JUDGED_PROMPTS, len(items))
    asked = [items[place * len(items) // count] for place in range(count)]
    prompts = [item.exchange.prompt for item in asked]
    lengths = run.config.lengths
    answers = sample_responses(
        model, prompts, responses_per_prompt=1, stop_token_ids=tokens.stop_token_ids,
        limits=Limits(lengths.response_tokens, lengths.context_tokens), temperature=1.0,
        generator=generator(run.config.seed, "responses to choose by"), batch_tokens=run.micro_batch_tokens,
        before_batch=run.poll,
    )  # fmt: skip
    model.train()
    exchanges = [
        Exchange(prompt, [answer.token_ids for answer in group]) for prompt, group in zip(prompts, answers, strict=True)
    ]
    run.phase("score")
    batching = Batching(tokens=run.micro_batch_tokens, shared=False, device=run.device)
    with compute_in(run.config.precision, run.device):
        scores = score(
            judge, exchanges, batching=batching, before_batch=run.poll,
            shifts=[judge.shift(item.condition) for item in asked],
        )  # fmt: skip
    run.phase("train")
    return sum(said[0] for said in scores) / count


def note_best(best: dict[str, Any], *, step: int, loss: float, score: float | None) -> None:
    """Remembers the first epoch with the highest score, or with the lowest loss where nothing is scored."""
    better = best["step"] == 0 or (loss < best["validation_loss"] if score is None else score > best["reward_score"])
    if better:
        best.update(step=step, validation_loss=loss, reward_score=score)


def steps_to_keep(epochs: Sequence[Sequence[object]], best: dict[str, Any], *, now: int) -> set[int]:
    """The last step of each of these epochs, the best one so far, and that of now."""
    return {*accumulate(map(len, epochs)), best["step"], now}


def write_samples(run: Run, model: PreTrainedModel, tokens: ChatTokens, items: Sequence[Item], *, step: int) -> None:
    """Responses of the model of now to a few prompts, for people to read."""
    shown = items[: run.config.logging.samples]
    if not shown:
        return
    lengths = run.config.lengths
    answers = sample_responses(
        model, [item.exchange.prompt for item in shown], responses_per_prompt=1, stop_token_ids=tokens.stop_token_ids,
        limits=Limits(min(SAMPLE_TOKENS, lengths.response_tokens), lengths.context_tokens), temperature=1.0,
        generator=generator(run.config.seed, "samples", step), batch_tokens=run.micro_batch_tokens,
    )  # fmt: skip
    model.train()
    for item, (answer,) in zip(shown, answers, strict=True):
        run.sample(
            step, id=item.id, prompt=tokens.text(item.exchange.prompt), text=tokens.text(answer.token_ids),
            ended=answer.ended,
        )  # fmt: skip


if __name__ == "__main__":
    run_stage("sft", train)
