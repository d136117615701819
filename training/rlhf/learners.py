"""A reward model that learns: its beginning and its steps, one of which is an optimizer step on whole prompts."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from training.rlhf.batching import Batching
from training.rlhf.chance import generator, shuffled
from training.rlhf.losses import ranking_loss
from training.rlhf.models import ScalarModel, grow_vocabulary, load_causal_lm
from training.rlhf.rankings import Item, agreement, pairs_of
from training.rlhf.run import Run
from training.rlhf.steps import adam, rate_factor, set_rate, take_step
from training.rlhf.tokens import ChatTokens


@dataclass
class Learner:
    """A reward model that learns, from these items and in an order of its own."""

    model: ScalarModel
    optimizer: torch.optim.Optimizer
    items: list[Item]
    order: str
    """What the order is drawn for: no two learners of a run have one."""


def fresh(run: Run, tokens: ChatTokens, items: list[Item], *, member: int = 0, fold: int = 0) -> Learner:
    """A new learner. The first member of an ensemble, and the model of a fold, begin as a lone model does."""
    config = run.config
    assert config.reward is not None
    language_model = load_causal_lm(run.inputs.models["init"].folder, device=run.device)
    grow_vocabulary(language_model, tokens)
    seed = generator(config.seed, "head", member).initial_seed() if member else config.seed
    model = ScalarModel.from_causal_lm(language_model, head_init_std=config.reward.head_init_std, seed=seed)
    own = f", member {member}" if member else f", fold {fold}" if fold else ""
    return Learner(model.eval(), adam(model.parameters(), config.optimizer), items, f"order of prompts{own}")


def steps_per_epoch(run: Run, items: Sequence[Item]) -> int:
    assert run.config.reward is not None
    return -(-len(items) // run.config.reward.prompts_per_step)


def take_turn(run: Run, learner: Learner, *, step: int, steps: int, batching: Batching) -> dict[str, float]:
    """One optimizer step on the prompts whose turn it is at this of the learner's steps. Returns its metrics."""
    config, per_epoch = run.config, steps_per_epoch(run, learner.items)
    assert config.reward is not None
    epoch, turn = divmod(step - 1, per_epoch)
    order = shuffled(len(learner.items), seed=config.seed, purpose=learner.order, number=epoch)
    first = turn * config.reward.prompts_per_step
    items = [learner.items[number] for number in order[first : first + config.reward.prompts_per_step]]
    loss, accuracy = add_gradients(learner.model, items, batching=batching, before_batch=run.poll)
    factor = rate_factor(step, steps=steps, optimizer=config.optimizer)
    set_rate([learner.optimizer], factor)
    told_loss, norm = take_step(
        [learner.optimizer], list(learner.model.parameters()), loss=loss, clip_norm=config.optimizer.clip_norm,
        step=step, prompts=[item.id for item in items],
    )  # fmt: skip
    return {
        "epoch": step / per_epoch, "loss": told_loss, "accuracy": accuracy,
        "learning_rate": config.optimizer.learning_rate * factor, "gradient_norm": norm,
    }  # fmt: skip


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
