"""The reward model: from rankings to a score for a response. `python -m training.rlhf.reward RUN_DIR`

All responses of a prompt are one element of the batch, each run through the model once; the loss of a prompt is the
mean over its untied pairs (Ouyang et al. 2022, section 3.5). At the end the head's bias is set so that labelers'
demonstrations score 0 on average, and accuracy on held-out prompts is reported beside what length alone would give.
Several members make an ensemble (ensemble.py); folds of labelers come after it, a model each (folds.py). Dropout stays
off throughout.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from training.rlhf import folds
from training.rlhf.attempt import run_stage
from training.rlhf.batching import Batching, score
from training.rlhf.centring import Demonstrations, read_demonstrations
from training.rlhf.checkpoints import Checkpoint, load_trainer, save_trainer
from training.rlhf.contract.config import RunConfig
from training.rlhf.contract.exit_codes import ConfigRefused, DataRefused
from training.rlhf.contract.records import Prompt
from training.rlhf.ensemble import Ensemble
from training.rlhf.folds import Fold, deal, measured
from training.rlhf.held_out import measure, scored_responses
from training.rlhf.inputs import only
from training.rlhf.layouts import obeys_masks
from training.rlhf.learners import Learner, fresh, steps_per_epoch, take_turn
from training.rlhf.models import ScalarModel, check_context, compute_in
from training.rlhf.prompts import refuse_shared_prompts
from training.rlhf.rankings import Item, Items, read_items, refuse_nothing
from training.rlhf.release import ModelFacts
from training.rlhf.run import Run
from training.rlhf.tokens import ChatTokens, load_tokenizer, prepare_tokens

VALIDATION_SCORES = "validation_scores"


@dataclass
class Job:
    """Everything the loop works with. members: of the model that is released; each learns from all of train."""

    run: Run
    tokens: ChatTokens
    members: list[Learner]
    train: Items
    validation: Items
    demonstrations: Demonstrations
    shared: bool
    folds: list[Fold]
    folds_done: list[dict[str, Any]]
    in_fold: Learner | None = None
    """The model of the fold that is being learned, where one is."""

    @property
    def batching(self) -> Batching:
        return Batching(tokens=self.run.micro_batch_tokens, shared=self.shared, device=self.run.device)

    @property
    def steps(self) -> int:
        """Of the model that is released; those of the folds come after."""
        return self.steps_of(self.train.items)

    def steps_of(self, items: Sequence[Item]) -> int:
        assert self.run.config.reward is not None
        return self.run.config.reward.epochs * steps_per_epoch(self.run, items)

    @property
    def models(self) -> list[ScalarModel]:
        return [member.model for member in self.members]

    @property
    def ensemble(self) -> Ensemble:
        facts = self.run.model_facts
        return Ensemble(self.models, score_bias=facts.score_bias if facts else {})


def train(run: Run) -> None:
    found = run.resume()
    job = prepare(run, found)
    done = found.step if found else 0
    steps = job.steps + sum(job.steps_of(fold.train) for fold in job.folds)
    run.plan(steps)
    with compute_in(run.config.precision, run.device):
        for step in range(done + 1, job.steps + 1):
            run.phase("train")
            learn(job, step, job.steps)
            if step % steps_per_epoch(run, job.train.items) == 0 and step < job.steps:
                run.phase("validate")
                validate(job, step)
            if step == job.steps:
                centre(job)
            run.end_step(step, lambda folder: save(job, folder))
        run.phase("validate")
        told = validate(job, job.steps, log=done <= job.steps)
        cross_validate(job, done)
        report = make_report(job, told)
        if run.config.reward and run.config.reward.score_validation:
            rows = scored_responses(run, job.tokens, job.ensemble, batching=job.batching)
            run.write_output(VALIDATION_SCORES, "response", rows)
    run.release(steps, report)


def prepare(run: Run, found: Checkpoint | None) -> Job:
    """Models, data and optimizers, as they were at the checkpoint if there is one."""
    config, settings = run.config, run.config.reward
    assert settings is not None
    if config.hardware.activation_checkpointing:
        raise ConfigRefused("hardware.activation_checkpointing is true; this stage cannot do so yet, expected false")
    tokens = prepare_tokens(load_tokenizer(run.inputs.models["init"].folder), config.tokens, config.conditioning)
    run.model_facts = ModelFacts(kind="reward", stop_token_ids=tokens.stop_token_ids)
    train_items, validation = read_data(run, tokens)
    folds = deal(train_items, validation, folds=settings.folds, seed=config.seed)
    members = [fresh(run, tokens, train_items.items, member=number) for number in range(settings.members)]
    check_context(members[0].model.trunk, config.lengths.context_tokens)
    job = Job(
        run=run, tokens=tokens, members=members, train=train_items, validation=validation,
        demonstrations=read_demonstrations(run, tokens), shared=choose_layout(run, members[0].model),
        folds=folds, folds_done=[],
    )  # fmt: skip
    if found:
        restore(job, found)
    return job


def read_data(run: Run, tokens: ChatTokens) -> tuple[Items, Items]:
    """Rankings to learn from and rankings held out. Raises DataRefused if a prompt is in both."""
    config = run.config

    def rows(names: Sequence[str]) -> list[Prompt]:
        return only(Prompt, run.inputs.rows(names, "ranking", "comparison"))

    def items(among: Sequence[Prompt], dropout: float) -> Items:
        return read_items(among, tokens=tokens, config=config, dropout=dropout)

    learned, held_out = rows(config.data.train), rows(config.data.validation)
    train_items, validation = items(learned, config.condition_dropout), items(held_out, 0.0)
    refuse_nothing(train_items, what=f"data.train ({', '.join(config.data.train)})")
    both = sorted(train_items.ids & validation.ids)
    if both:
        raise DataRefused(f"prompt {both[0]} and {len(both) - 1} more are in data.train and in data.validation")
    refuse_shared_prompts(learned, held_out)
    run.event("data", train=train_items.report(), validation=validation.report())
    return train_items, validation


def choose_layout(run: Run, model: ScalarModel) -> bool:
    """Whether prompts are shared: as the config asks, unless the model's attention does not follow a mask."""
    config: RunConfig = run.config
    assert config.reward is not None
    if config.reward.layout == "one_by_one":
        return False
    able = obeys_masks(
        model.trunk, vocabulary=model.trunk.config.vocab_size, context_tokens=config.lengths.context_tokens
    )
    if not able:
        run.event("layout", message="this model's attention does not follow an explicit mask: one response a row")
    return able


def learn(job: Job, step: int, steps: int) -> None:
    """One optimizer step of every member; the numbers are means over the members."""
    told = [take_turn(job.run, member, step=step, steps=steps, batching=job.batching) for member in job.members]
    numbers = {name: sum(one[name] for one in told) / len(told) for name in told[0]}
    job.run.log(step, numbers, always=step == steps)


def validate(job: Job, step: int, *, log: bool = True) -> dict[str, Any]:
    """Measures the members together on the held-out prompts. log: whether their line is not there yet."""
    numbers, told = measure(job.models, job.validation.items, batching=job.batching, before_batch=job.run.poll)
    if log and numbers:
        job.run.log(step, numbers, split="valid")
    return told


def cross_validate(job: Job, done: int) -> None:
    """A model more for each fold, one after the other; what each is worth is kept, the model is not."""
    first = job.steps
    for fold in job.folds:
        steps = job.steps_of(fold.train)
        for step in range(max(done, first) + 1, first + steps + 1):
            job.run.phase("train")
            learner = job.in_fold or fresh(job.run, job.tokens, fold.train, fold=fold.number)
            job.in_fold = learner
            told = take_turn(job.run, learner, step=step - first, steps=steps, batching=job.batching)
            numbers = {"fold": fold.number, "fold_loss": told["loss"], "fold_accuracy": told["accuracy"]}
            job.run.log(step, numbers)
            if step == first + steps:
                job.run.phase("validate")
                job.folds_done.append(measure_fold(job, fold, learner))
                job.in_fold = None
            job.run.end_step(step, lambda folder: save(job, folder))
        first += steps


def measure_fold(job: Job, fold: Fold, learner: Learner) -> dict[str, Any]:
    exchanges = [item.exchange for item in job.validation.items]
    scores = score(learner.model, exchanges, batching=job.batching, before_batch=job.run.poll)
    return measured(fold, job.validation.items, scores)


def centre(job: Job) -> None:
    """Moves the heads' biases so that demonstrations score 0 on average: the zero that PPO's scores refer to.

    Every member is moved by itself. Where conditions are told, each gets what makes the demonstrations told it score 0.
    """
    if not job.demonstrations.told:
        job.run.event("not_centred", message=f"{job.demonstrations.why_none}: scores have no zero to refer to")
        return
    means = [mean_score(job, member.model, condition=None) for member in job.members]
    for member, mean in zip(job.members, means, strict=True):
        with torch.no_grad():
            member.model.head.bias.sub_(mean)
    general = -sum(means) / len(means)
    bias = {"": general}
    for condition in job.demonstrations.told:
        if condition is not None:
            bias[condition] = general - mean_score(job, job.ensemble, condition=condition)
    job.run.model_facts = ModelFacts(kind="reward", stop_token_ids=job.tokens.stop_token_ids, score_bias=bias)


def mean_score(job: Job, model: ScalarModel | Ensemble, *, condition: str | None) -> float:
    """Of the demonstrations told this condition, without what the condition adds."""
    exchanges = job.demonstrations.told[condition]
    scores = score(model, exchanges, batching=job.batching, before_batch=job.run.poll)
    return sum(said[0] for said in scores) / len(scores)


def save(job: Job, folder: Path) -> None:
    """model/ is the ensemble. While folds are learned, it is done, and trainer/ holds the fold's model instead."""
    assert job.run.model_facts is not None
    job.ensemble.save(job.tokens, folder)
    learning = [] if job.folds_done or job.in_fold else job.members
    save_trainer(folder, {
        "optimizers": [member.optimizer.state_dict() for member in learning],
        "score_bias": dict(job.run.model_facts.score_bias),
        "folds_done": job.folds_done,
        "in_fold": {
            "number": len(job.folds_done) + 1,
            "model": job.in_fold.model.state_dict(),
            "optimizer": job.in_fold.optimizer.state_dict(),
        } if job.in_fold else None,
    })  # fmt: skip


def restore(job: Job, found: Checkpoint) -> None:
    state = load_trainer(found)
    kept = Ensemble.load(found.model, device=job.run.device)
    for member, model in zip(job.members, kept.each, strict=True):
        member.model.load_state_dict(model.state_dict())
    for member, optimizer in zip(job.members, state["optimizers"], strict=False):  # none once the folds began
        member.optimizer.load_state_dict(optimizer)
    job.run.model_facts = ModelFacts(
        kind="reward", stop_token_ids=job.tokens.stop_token_ids, score_bias=state["score_bias"]
    )
    job.folds_done = state["folds_done"]
    if state["in_fold"]:
        fold = job.folds[state["in_fold"]["number"] - 1]
        job.in_fold = fresh(job.run, job.tokens, fold.train, fold=fold.number)
        job.in_fold.model.load_state_dict(state["in_fold"]["model"])
        job.in_fold.optimizer.load_state_dict(state["in_fold"]["optimizer"])


def make_report(job: Job, validated: dict[str, Any]) -> dict[str, Any]:
    assert job.run.model_facts is not None
    bias, ensemble = job.run.model_facts.score_bias, job.ensemble
    told = job.demonstrations.told
    return {
        "layout": "shared_prefix" if job.shared else "one_by_one",
        "members": len(job.members),
        "train": job.train.report(),
        "validation": {**job.validation.report(), **validated},
        "folds": folds.report(job.folds_done),
        "demonstrations": {
            "used": job.demonstrations.used,
            "too_long": job.demonstrations.too_long.report(),
            "score_bias": bias.get(""),
            "mean_score": mean_score(job, ensemble, condition=None) if None in told else None,
            "by_condition": {
                condition: {
                    "used": len(exchanges),
                    "score_bias": bias[condition],
                    "mean_score": mean_score(job, ensemble, condition=condition) + ensemble.shift(condition),
                }
                for condition, exchanges in told.items()
                if condition is not None
            },
        },
    }


if __name__ == "__main__":
    run_stage("reward", train)
