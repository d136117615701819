"""The steps of a PPO iteration: what they start from, and what must not change them."""

import copy
import random
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from tests.rlhf.tiny_models import SHAPES, VOCABULARY
from training.rlhf.batching import Batching
from training.rlhf.contract.exit_codes import NotFinite
from training.rlhf.contract.stages import Kl, MissingStop, Ppo
from training.rlhf.ensemble import Ensemble
from training.rlhf.improving import Learner, add_gradients, improve
from training.rlhf.layouts import Exchange
from training.rlhf.models import ScalarModel
from training.rlhf.rollouts import Cast, Rollouts, charge_missing_stops, read_rollouts

SETTINGS = Ppo(
    episodes=16, episodes_per_iteration=16, minibatch_episodes=8, responses_per_prompt=2, temperature=0.7,
    kl=Kl(coef=0.1), missing_stop=MissingStop(value=0.5),
)  # fmt: skip


def make_cast(shape: str = "llama") -> Cast:
    reward = ScalarModel.from_causal_lm(SHAPES[shape](seed=2), seed=3)
    return Cast(
        policy=SHAPES[shape](seed=1), reference=SHAPES[shape](seed=4), value=copy.deepcopy(reward),
        reward=Ensemble([reward]),
    )  # fmt: skip


def exchanges() -> list[Exchange]:
    chance = random.Random(5)

    def ids(low: int, high: int) -> list[int]:
        return [chance.randrange(3, VOCABULARY) for _ in range(chance.randint(low, high))]

    return [Exchange(ids(2, 9), [ids(1, 6) for _ in range(2)]) for _ in range(8)]


def rollouts_of(cast: Cast, *, batching: Batching | None = None) -> Rollouts:
    return read_rollouts(
        exchanges(), ended=[True, False] * 8, cast=cast, batching=batching or Batching(tokens=60, shared=True),
        settings=SETTINGS, kl_coef=0.1,
    )  # fmt: skip


def gradients(model: nn.Module) -> list[Tensor]:
    return [parameter.grad.clone() for parameter in model.parameters() if parameter.grad is not None]


def largest_difference(one: list[Tensor], other: list[Tensor]) -> float:
    """Of two gradients, as a share of the largest number in them."""
    largest = max(float(gradient.abs().max()) for gradient in one)
    return max(float((a - b).abs().max()) for a, b in zip(one, other, strict=True)) / largest


@pytest.mark.rule(7)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("shared", [True, False])
def test_before_the_first_step_every_ratio_is_1(shape: str, shared: bool) -> None:
    cast = make_cast(shape)
    rollouts = rollouts_of(cast)
    seen = add_gradients(
        rollouts, list(range(8)), policy=cast.policy, value=cast.value, batching=Batching(tokens=90, shared=shared),
        settings=SETTINGS,
    )  # fmt: skip
    assert max(float(sums["ratio_error"]) for sums in seen) <= 1e-4


@pytest.mark.rule(20)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_gradients_do_not_depend_on_the_micro_batches(dtype: torch.dtype) -> None:
    tolerance = 1e-10 if dtype == torch.float64 else 1e-5
    cast = make_cast()
    rollouts = rollouts_of(cast)
    policy, value = cast.policy.to(dtype), cast.value.to(dtype)
    found = []
    for tokens in (10_000, 80, 1):  # all at once, a few, one prompt at a time
        policy.zero_grad()
        value.zero_grad()
        batching = Batching(tokens=tokens, shared=True)
        add_gradients(rollouts, [0, 3, 5, 6], policy=policy, value=value, batching=batching, settings=SETTINGS)
        found.append((gradients(policy), gradients(value)))
    for other in found[1:]:
        assert largest_difference(found[0][0], other[0]) <= tolerance
        assert largest_difference(found[0][1], other[1]) <= tolerance


@pytest.mark.rule(20)
def test_a_token_weighs_the_same_in_a_long_response_and_in_a_short_one() -> None:
    """The loss is the sum over the tokens of the minibatch by their count: not a mean of means."""
    cast = make_cast()
    rollouts = rollouts_of(cast)

    def gradient_of(prompts: list[int]) -> list[Tensor]:
        cast.policy.zero_grad()
        add_gradients(
            rollouts, prompts, policy=cast.policy, value=cast.value, batching=Batching(tokens=10_000, shared=True),
            settings=SETTINGS,
        )  # fmt: skip
        return gradients(cast.policy)

    sizes = [sum(map(len, exchange.responses)) for exchange in rollouts.exchanges]
    short, long = sizes.index(min(sizes)), sizes.index(max(sizes))
    counts, parts = (sizes[short], sizes[long]), (gradient_of([short]), gradient_of([long]))
    together = gradient_of([short, long])
    assert counts[1] >= 2 * counts[0]
    weighted = [(counts[0] * a + counts[1] * b) / sum(counts) for a, b in zip(*parts, strict=True)]
    assert largest_difference(together, weighted) <= 1e-5


@pytest.mark.rule(23)
def test_readings_do_not_depend_on_the_layout() -> None:
    cast = make_cast()
    shared = rollouts_of(cast)
    for batching in (Batching(tokens=1, shared=False), Batching(tokens=10_000, shared=False)):
        other = rollouts_of(cast, batching=batching)
        for name in ("logprobs", "ref_logprobs", "values", "scores", "advantages", "returns"):
            assert (getattr(shared, name) - getattr(other, name)).abs().max() <= 1e-4, name


@pytest.mark.rule(18)
def test_the_value_model_begins_as_the_reward_model_and_at_the_stop_token_it_says_the_score() -> None:
    cast = make_cast()
    batching = Batching(tokens=10_000, shared=True)
    ((_, layout),) = batching.layouts(exchanges())
    assert torch.equal(cast.value(layout, layout.last), cast.reward(layout, layout.last))
    assert cast.value(layout, layout.last).dtype == torch.float32


@pytest.mark.rule(8)
def test_models_that_come_in_training_mode_are_read_without_dropout() -> None:
    cast = make_cast("gpt2")
    for model in (cast.policy, cast.reference, cast.value, cast.reward):
        for module in model.modules():
            if isinstance(module, nn.Dropout):
                module.p = 0.5
        model.train()
    assert torch.equal(rollouts_of(cast).logprobs, rollouts_of(cast).logprobs)
    assert not any(module.training for model in (cast.policy, cast.value) for module in model.modules())


@pytest.mark.rule(10)
def test_a_missing_stop_lowers_the_score_by_a_fixed_amount() -> None:
    scores, ended = torch.tensor([2.0, -3.0, -3.0]), torch.tensor([True, True, False])
    charged = charge_missing_stops(scores, ended=ended, missing_stop=MissingStop(value=0.5))
    assert charged.tolist() == [2.0, -3.0, -3.5]
    replaced = charge_missing_stops(scores, ended=ended, missing_stop=MissingStop(mode="replace", value=-1.0))
    assert replaced.tolist() == [2.0, -3.0, -1.0]  # cut off is worth more than the truth: why it is not the default


@pytest.mark.rule(16)
def test_advantages_are_whitened_over_the_tokens_of_the_iteration() -> None:
    rollouts = rollouts_of(make_cast())
    valid = rollouts.advantages[rollouts.mask]
    assert float(valid.mean()) == pytest.approx(0, abs=1e-5)
    assert float(valid.std(correction=0)) == pytest.approx(1, abs=1e-4)
    assert not rollouts.advantages[~rollouts.mask].any()


def learners(cast: Cast) -> tuple[Learner, Learner]:
    return tuple(  # type: ignore[return-value]
        Learner(model, torch.optim.AdamW(model.parameters(), lr=1e-3, eps=1e-5)) for model in (cast.policy, cast.value)
    )


@pytest.mark.rule(24)
def test_each_minibatch_is_one_step_of_each_model() -> None:
    cast, steps = make_cast(), []
    policy, value = learners(cast)
    told = improve(
        rollouts_of(cast), policy=policy, value=value, batching=Batching(tokens=60, shared=True), settings=SETTINGS,
        clip_norm=1.0, order=torch.Generator().manual_seed(0), after_step=lambda: steps.append(1),
    )  # fmt: skip
    assert len(steps) == 2  # 16 episodes in minibatches of 8
    assert told["ratio_first_error"] <= 1e-4 < told["ratio_max"] - 1
    assert told["entropy"] > 0


@pytest.mark.rule(28)
def test_the_same_seed_gives_the_same_weights() -> None:
    weights = []
    for _ in range(2):
        cast = make_cast()
        policy, value = learners(cast)
        improve(
            rollouts_of(cast), policy=policy, value=value, batching=Batching(tokens=60, shared=True),
            settings=SETTINGS, clip_norm=1.0, order=torch.Generator().manual_seed(0),
        )  # fmt: skip
        weights.append(list(cast.policy.parameters()) + list(cast.value.parameters()))
    assert all(torch.equal(one, other) for one, other in zip(*weights, strict=True))


def test_a_gradient_that_is_not_finite_stops_the_run_and_names_the_prompts() -> None:
    cast = make_cast()
    policy, value = learners(cast)
    rollouts = rollouts_of(cast)
    rollouts.advantages[0, 0] = float("nan")
    before = [parameter.clone() for parameter in cast.policy.parameters()]
    with pytest.raises(NotFinite, match="at step 7, .*p0"):
        improve(
            rollouts, policy=policy, value=value, batching=Batching(tokens=60, shared=True),
            settings=replace(SETTINGS, minibatch_episodes=16), clip_norm=1.0, order=torch.Generator(), iteration=7,
            names=[f"p{number}" for number in range(8)],
        )  # fmt: skip
    assert all(torch.equal(one, other) for one, other in zip(before, cast.policy.parameters(), strict=True))
