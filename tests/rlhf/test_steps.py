"""The optimizer step: budgets, rates, clipping and averages small enough to check by hand."""

import math

import pytest
import torch
from torch import nn

from training.rlhf.contract.exit_codes import NotFinite
from training.rlhf.contract.settings import Optimizer
from training.rlhf.steps import Ema, adam, micro_batches, rate_factor, set_rate, take_step


def one_weight(value: float, gradient: float) -> nn.Parameter:
    weight = nn.Parameter(torch.tensor([[float(value)]]))
    weight.grad = torch.tensor([[float(gradient)]])
    return weight


def test_micro_batches_hold_every_row_once_and_no_more_tokens_than_allowed() -> None:
    widths = [9, 3, 5, 3, 8, 1, 30]
    batches = micro_batches(widths, tokens=18)
    assert sorted(row for batch in batches for row in batch) == list(range(7))
    for batch in batches:
        assert len(batch) == 1 or len(batch) * max(widths[row] for row in batch) <= 18


def test_a_row_over_the_budget_goes_alone() -> None:
    assert [6] in micro_batches([9, 3, 5, 3, 8, 1, 30], tokens=18)
    assert micro_batches([4, 4], tokens=1) == [[0], [1]]


@pytest.mark.parametrize(
    ("schedule", "middle"), [("cosine", (1 + 0.1) / 2), ("linear", (1 + 0.1) / 2), ("constant", 1.0)]
)
def test_the_rate_starts_whole_and_ends_at_its_final_fraction(schedule: str, middle: float) -> None:
    optimizer = Optimizer(schedule=schedule, final_fraction=0.1)  # type: ignore[arg-type]
    factors = [rate_factor(step, steps=11, optimizer=optimizer) for step in range(1, 12)]
    assert factors[0] == 1.0
    assert factors[5] == pytest.approx(middle)
    assert factors[-1] == pytest.approx(1.0 if schedule == "constant" else 0.1)


def test_cosine_falls_slowly_at_first() -> None:
    assert rate_factor(2, steps=5, optimizer=Optimizer(final_fraction=0.0)) == pytest.approx(
        (1 + math.cos(math.pi / 4)) / 2
    )


@pytest.mark.rule(24)
def test_warm_up_climbs_from_a_tenth_and_is_absent_unless_asked_for() -> None:
    asked = Optimizer(schedule="constant", warmup_steps=9)
    climb = [rate_factor(step, steps=20, optimizer=asked) for step in range(1, 12)]
    assert climb == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.0])
    assert Optimizer().warmup_steps == 0


@pytest.mark.rule(24)
def test_unless_told_otherwise_eps_is_1e_5_and_the_norm_allowed_is_1() -> None:
    assert (Optimizer().eps, Optimizer().clip_norm) == (1e-5, 1.0)


def test_a_run_of_one_step_has_a_rate() -> None:
    assert rate_factor(1, steps=1, optimizer=Optimizer()) == 1.0


def test_each_group_gets_its_own_highest_rate_times_the_factor_however_often() -> None:
    optimizers = [
        torch.optim.AdamW([one_weight(1, 1)], lr=0.4), torch.optim.AdamW([one_weight(1, 1)], lr=0.1),
    ]  # fmt: skip
    for _ in range(3):
        set_rate(optimizers, 0.5)
    assert [optimizer.param_groups[0]["lr"] for optimizer in optimizers] == [0.2, 0.05]


@pytest.mark.rule(24)
def test_the_first_adam_step_is_the_rate_times_the_sign_softened_by_eps() -> None:
    weight = one_weight(1.0, 1e-4)
    optimizer = adam([weight], Optimizer(learning_rate=0.1))
    assert optimizer.param_groups[0]["eps"] == 1e-5
    optimizer.step()
    assert weight.item() == pytest.approx(1 - 0.1 * 1e-4 / (1e-4 + 1e-5), abs=1e-6)


def test_weight_decay_spares_biases_and_gains() -> None:
    optimizer = adam([one_weight(1, 1), nn.Parameter(torch.ones(3))], Optimizer(weight_decay=0.1))
    assert [group["weight_decay"] for group in optimizer.param_groups] == [0.1, 0.0]


@pytest.mark.rule(24)
def test_the_gradient_is_cut_to_a_norm_of_1_over_all_weights_together() -> None:
    weights = [one_weight(0.0, 3.0), one_weight(0.0, 4.0)]
    optimizer = torch.optim.SGD(weights, lr=1.0)
    _, norm = take_step([optimizer], weights, loss=torch.tensor(0.5), clip_norm=1.0, step=1, prompts=["p"])
    assert norm == pytest.approx(5.0)
    assert [weight.item() for weight in weights] == pytest.approx([-0.6, -0.8], abs=1e-5)
    assert all(weight.grad is None for weight in weights)


@pytest.mark.parametrize(("loss", "gradient"), [(math.nan, 1.0), (math.inf, 1.0), (1.0, math.nan), (1.0, math.inf)])
def test_what_is_not_finite_stops_the_run_names_the_prompts_and_touches_no_weight(loss: float, gradient: float) -> None:
    weight = one_weight(2.0, gradient)
    prompts = [f"p{number}" for number in range(10)]
    with pytest.raises(NotFinite, match="at step 41, learning from p0, p1, .*p7 and 2 more"):
        take_step(
            [torch.optim.SGD([weight], lr=1.0)], [weight], loss=torch.tensor(loss), clip_norm=1.0, step=41,
            prompts=prompts,
        )  # fmt: skip
    assert weight.item() == 2.0


@pytest.mark.rule(24)
def test_the_average_warms_up_so_that_a_short_run_does_not_release_what_it_began_with() -> None:
    model = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(model.weight)
    ema = Ema(model, decay=0.992)
    nn.init.ones_(model.weight)
    expected = 0.0
    for step in range(2000):
        decay = min(0.992, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay)
        ema.update(model)
        if step in (0, 9, 1999):
            assert ema.weights["weight"].item() == pytest.approx(expected, abs=1e-5)
    assert min(0.992, 2000 / 2009) == 0.992
    slow = Ema(nn.Linear(1, 1, bias=False), decay=0.992, warmup=False)
    nn.init.zeros_(slow.weights["weight"])
    slow.update(model)
    assert slow.weights["weight"].item() == pytest.approx(0.008)


def test_an_average_that_was_saved_goes_on_as_before() -> None:
    model, other = nn.Linear(2, 2), nn.Linear(2, 2)
    ema = Ema(model, decay=0.9)
    ema.update(other)
    again = Ema(model, decay=0.9)
    again.load_state_dict(ema.state_dict())
    ema.update(other)
    again.update(other)
    assert all(torch.equal(weight, again.weights[name]) for name, weight in ema.weights.items())
    ema.copy_to(model)
    assert torch.equal(model.weight, ema.weights["weight"])
