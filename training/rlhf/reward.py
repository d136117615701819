"""The reward model: from rankings to a score for a response. `python -m training.rlhf.reward RUN_DIR`

All responses of a prompt are one element of the batch, each run through the model once; the loss of a prompt is the
mean over its untied pairs (Ouyang et al. 2022, section 3.5). At the end the head's bias is set so that labelers'
demonstrations score 0 on average, and accuracy on held-out prompts is reported beside what length alone would give.
Dropout stays off throughout.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from training.rlhf.attempt import run_stage
from training.rlhf.batching import Batching, score
from training.rlhf.chance import shuffled
from training.rlhf.checkpoints import Checkpoint, load_trainer, save_trainer
from training.rlhf.contract.config import RunConfig
from training.rlhf.contract.exit_codes import ConfigRefused, DataRefused
from training.rlhf.contract.records import Comparison, Demonstration, Ranking, Response
from training.rlhf.contract.stages import Reward
from training.rlhf.inputs import only
from training.rlhf.intervals import interval
from training.rlhf.layouts import Exchange, obeys_masks
from training.rlhf.losses import ranking_loss
from training.rlhf.models import ScalarModel, check_context, compute_in, grow_vocabulary, load_causal_lm
from training.rlhf.rankings import Item, Items, agreement, answer_ids, pairs_of, read_items, refuse_nothing
from training.rlhf.release import ModelFacts
from training.rlhf.run import Run
from training.rlhf.steps import adam, rate_factor, set_rate, take_step
from training.rlhf.tokens import Budget, ChatTokens, load_tokenizer, prepare_tokens

VALIDATION_SCORES = "validation_scores"


@dataclass
class Job:
    """Everything the loop works with."""

    run: Run
    tokens: ChatTokens
    model: ScalarModel
    optimizer: torch.optim.Optimizer
    train: Items
    validation: Items
    demonstrations: list[Exchange]
    too_long: Budget
    """Of the demonstrations."""
    shared: bool

    @property
    def settings(self) -> Reward:
        assert self.run.config.reward is not None
        return self.run.config.reward

    @property
    def batching(self) -> Batching:
        return Batching(tokens=self.run.micro_batch_tokens, shared=self.shared, device=self.run.device)

    @property
    def steps_per_epoch(self) -> int:
        return -(-len(self.train.items) // self.settings.prompts_per_step)


def train(run: Run) -> None:
    found = run.resume()
    job = prepare(run, found)
    steps = job.settings.epochs * job.steps_per_epoch
    run.plan(steps)
    with compute_in(run.config.precision, run.device):
        for step in range(found.step + 1 if found else 1, steps + 1):
            run.phase("train")
            learn(job, step, steps)
            if step % job.steps_per_epoch == 0 and step < steps:
                run.phase("validate")
                validate(job, step)
            if step == steps:
                centre(job)
            run.end_step(step, lambda folder: save(job, folder))
        run.phase("validate")
        report = make_report(job)
        if job.settings.score_validation:
            run.write_output(VALIDATION_SCORES, "response", scored_validation(job))
    run.release(steps, report)


def prepare(run: Run, found: Checkpoint | None) -> Job:
    """Model, data and optimizer, as they were at the checkpoint if there is one."""
    config = run.config
    assert config.reward is not None
    if config.hardware.activation_checkpointing:
        raise ConfigRefused("hardware.activation_checkpointing is true; this stage cannot do so yet, expected false")
    folder = run.inputs.models["init"].folder
    tokens = prepare_tokens(load_tokenizer(folder), config.tokens, config.conditioning)
    run.model_facts = ModelFacts(kind="reward", stop_token_ids=tokens.stop_token_ids)
    train_items, validation = read_data(run, tokens)
    model = ScalarModel.load(found.model, device=run.device) if found else fresh_model(run, tokens)
    check_context(model.trunk, config.lengths.context_tokens)
    optimizer = adam(model.parameters(), config.optimizer)
    if found:
        state = load_trainer(found)
        optimizer.load_state_dict(state["optimizer"])
        run.model_facts = ModelFacts(
            kind="reward", stop_token_ids=tokens.stop_token_ids, score_bias=state["score_bias"]
        )
    demonstrations, too_long = read_demonstrations(run, tokens)
    return Job(
        run=run, tokens=tokens, model=model.eval(), optimizer=optimizer, train=train_items, validation=validation,
        demonstrations=demonstrations, too_long=too_long, shared=choose_layout(run, model),
    )  # fmt: skip


def fresh_model(run: Run, tokens: ChatTokens) -> ScalarModel:
    assert run.config.reward is not None
    language_model = load_causal_lm(run.inputs.models["init"].folder, device=run.device)
    grow_vocabulary(language_model, tokens)
    return ScalarModel.from_causal_lm(
        language_model, head_init_std=run.config.reward.head_init_std, seed=run.config.seed
    )


def read_data(run: Run, tokens: ChatTokens) -> tuple[Items, Items]:
    """Rankings to learn from and rankings held out. Raises DataRefused if a prompt is in both."""
    config = run.config

    def items(names: Sequence[str], dropout: float) -> Items:
        rows = run.inputs.rows(names, "ranking", "comparison")
        return read_items(rows, tokens=tokens, config=config, dropout=dropout)

    train_items, validation = items(config.data.train, config.condition_dropout), items(config.data.validation, 0.0)
    refuse_nothing(train_items, what=f"data.train ({', '.join(config.data.train)})")
    both = sorted(train_items.ids & validation.ids)
    if both:
        raise DataRefused(f"prompt {both[0]} and {len(both) - 1} more are in data.train and in data.validation")
    run.event("data", train=train_items.report(), validation=validation.report())
    return train_items, validation


def read_demonstrations(run: Run, tokens: ChatTokens) -> tuple[list[Exchange], Budget]:
    """Those that fit, and the count of those that do not."""
    rows = only(Demonstration, run.inputs.rows(run.config.data.demonstrations, "demonstration"))
    budget = Budget(run.config.lengths)
    told = run.config.conditioning.mode == "message"
    exchanges = []
    for row in rows:
        prompt = tokens.prompt_ids(row.messages, condition=row.condition if told else None)
        exchange = Exchange(prompt, [answer_ids(row.response, tokens, row_id=row.id)])
        if budget.fits(row, prompt=exchange.prompt, responses=exchange.responses):
            exchanges.append(exchange)
    return exchanges, budget


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
    """One optimizer step on the prompts whose turn it is."""
    epoch, turn = divmod(step - 1, job.steps_per_epoch)
    order = shuffled(len(job.train.items), seed=job.run.config.seed, purpose="order of prompts", number=epoch)
    first = turn * job.settings.prompts_per_step
    items = [job.train.items[number] for number in order[first : first + job.settings.prompts_per_step]]
    loss, accuracy = add_gradients(job.model, items, batching=job.batching, before_batch=job.run.poll)
    optimizer = job.run.config.optimizer
    factor = rate_factor(step, steps=steps, optimizer=optimizer)
    set_rate([job.optimizer], factor)
    told_loss, norm = take_step(
        [job.optimizer], list(job.model.parameters()), loss=loss, clip_norm=optimizer.clip_norm,
        step=step, prompts=[item.id for item in items],
    )  # fmt: skip
    numbers = {"epoch": step / job.steps_per_epoch, "loss": told_loss, "accuracy": accuracy}
    job.run.log(step, {**numbers, "learning_rate": optimizer.learning_rate * factor, "gradient_norm": norm})


def add_gradients(
    model: ScalarModel,
    items: Sequence[Item],
    *,
    batching: Batching,
    before_batch: Callable[[], object] = lambda: None,
) -> tuple[Tensor, float]:
    """Backward through the mean loss of these prompts. Returns it, and the share of comparisons that was right.

    A prompt is never split: all its responses are in one micro-batch.
    """
    losses: list[Tensor] = []
    agreed = comparisons = 0.0
    for batch, layout in batching.layouts([item.exchange for item in items]):
        before_batch()
        among = [items[number] for number in batch]
        scores = model(layout, layout.last)
        loss = ranking_loss(scores, pairs_of(among)).sum() / len(items)
        loss.backward()
        losses.append(loss.detach())
        read = iter(scores.tolist())
        for item in among:
            right, judged = agreement(item, [next(read) for _ in item.exchange.responses])
            agreed, comparisons = agreed + right, comparisons + judged
    return torch.stack(losses).sum(), agreed / comparisons


def validate(job: Job, step: int) -> dict[str, Any]:
    """Loss and accuracy on the held-out prompts, each beside the other ways to guess; logged, and for the report."""
    items = job.validation.items
    if not items:
        return {}
    exchanges = [item.exchange for item in items]
    scores = score(job.model, exchanges, batching=job.batching, before_batch=job.run.poll)
    losses = ranking_loss(torch.tensor([said for of_prompt in scores for said in of_prompt]), pairs_of(items)).tolist()
    ours, comparisons = zip(*map(agreement, items, scores), strict=True)
    lengths = [[float(len(response)) for response in exchange.responses] for exchange in exchanges]
    longer, _ = zip(*map(agreement, items, lengths), strict=True)
    job.run.log(step, {"loss": sum(losses) / len(losses), "accuracy": sum(ours) / sum(comparisons)}, split="valid")
    return {
        "loss": interval(losses),
        "accuracy": interval(ours, comparisons),
        "longer_is_better": interval(longer, comparisons),
        "accuracy_over_longer": interval([a - b for a, b in zip(ours, longer, strict=True)], comparisons),
        "chance": 0.5,
    }


def scored_validation(job: Job) -> list[Response]:
    """A row for every response of the validation rankings under every condition, its score in it and its text not."""
    config = job.run.config
    told: Sequence[str | None] = (None,)
    if config.conditioning.mode == "message":
        told = (None, *sorted(config.conditioning.conditions))
    exchanges, named = [], []
    for row in job.run.inputs.rows(config.data.validation, "ranking", "comparison"):
        ranking = row.as_ranking() if isinstance(row, Comparison) else row
        assert isinstance(ranking, Ranking)
        responses = [answer_ids(answer, job.tokens, row_id=ranking.id) for answer in ranking.responses]
        for condition in told:
            exchange = Exchange(job.tokens.prompt_ids(ranking.messages, condition=condition), responses)
            if Budget(config.lengths).fits(ranking, prompt=exchange.prompt, responses=exchange.responses):
                exchanges.append(exchange)
                named.append((ranking, condition))
    scores = score(job.model, exchanges, batching=job.batching, before_batch=job.run.poll)
    return [
        Response(
            id=f"{ranking.id}/{answer.id}/{condition or ''}", prompt=ranking.id, text="", token_ids=(), finish="stop",
            generator="ranked", condition=condition, scores={"reward": said},
        )
        for (ranking, condition), of_ranking in zip(named, scores, strict=True)
        for answer, said in zip(ranking.responses, of_ranking, strict=True)
    ]  # fmt: skip


def centre(job: Job) -> None:
    """Moves the head's bias so that demonstrations score 0 on average: the zero that PPO's scores refer to."""
    mean = mean_demonstration_score(job)
    if mean is None:
        none_fits = f"none of the {job.too_long.left_out} rows of data.demonstrations fits lengths"
        why = none_fits if job.too_long.left_out else "data.demonstrations is empty"
        job.run.event("not_centred", message=f"{why}: scores have no zero to refer to")
        return
    with torch.no_grad():
        job.model.head.bias.sub_(mean)
    job.run.model_facts = ModelFacts(kind="reward", stop_token_ids=job.tokens.stop_token_ids, score_bias={"": -mean})


def mean_demonstration_score(job: Job) -> float | None:
    if not job.demonstrations:
        return None
    scores = score(job.model, job.demonstrations, batching=job.batching, before_batch=job.run.poll)
    return sum(said[0] for said in scores) / len(scores)


def save(job: Job, folder: Path) -> None:
    assert job.run.model_facts is not None
    job.model.save(job.tokens, folder)
    save_trainer(
        folder,
        {"optimizer": job.optimizer.state_dict(), "score_bias": dict(job.run.model_facts.score_bias)},
    )


def make_report(job: Job) -> dict[str, Any]:
    assert job.run.model_facts is not None
    steps = job.settings.epochs * job.steps_per_epoch
    return {
        "layout": "shared_prefix" if job.shared else "one_by_one",
        "train": job.train.report(),
        "validation": {**job.validation.report(), **validate(job, steps)},
        "demonstrations": {
            "used": len(job.demonstrations),
            "too_long": job.too_long.report(),
            "score_bias": job.run.model_facts.score_bias.get(""),
            "mean_score": mean_demonstration_score(job),
        },
    }


if __name__ == "__main__":
    run_stage("reward", train)
