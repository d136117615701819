"""Score against KL as figures of a job, and the text that PPO is given where its weight is to be set."""

from typing import Any

import pytest

from training.models import Stage
from training.preflight import needs_of
from training.sizes import beside_responses
from training.views.figures import beside_of


def interval(mean: float) -> dict[str, Any]:
    return {"mean": mean, "low": mean - 0.5, "high": mean + 0.5, "prompts": 4}


def test_best_of_n_is_at_most_so_far_and_all_else_as_measured() -> None:
    points = [
        {"kind": "policy", "at": 12, "kl": interval(3.0), "score": interval(1.0), "response_tokens": interval(20.0)},
        {"kind": "best_of", "at": 4, "kl": {"mean": 0.64}, "score": interval(-1.0), "response_tokens": interval(9.0)},
    ]
    policy, best = beside_of({"beside": {"prompts": 4, "points": points}})
    assert (policy.name, policy.value, policy.interval) == ("Policy after iteration 12", "1.000", "0.500 to 1.500")
    assert policy.note == "score; 3.00 nats from SFT, 20.0 tokens a response"
    assert (best.name, best.value) == ("SFT, best of 4", "−1.000")
    assert best.note == "score; at most 0.64 nats from SFT, 9.0 tokens a response"
    assert beside_of({}) == []


@pytest.mark.parametrize("ptx", [{"coef": 2.0}, {"calibrate": 0.5}, {}])
def test_text_is_read_where_its_weight_is_given_or_to_be_set(ptx: dict[str, float]) -> None:
    needs = needs_of(Stage(kind=Stage.Kind.PPO), {"ppo": {"ptx": ptx}})
    assert ("text_train" in {need.name for need in needs}) == bool(ptx)


def test_what_is_sampled_to_be_set_beside_is_counted() -> None:
    assert beside_responses({"prompts": 10, "temperatures": [1.0, 0.0], "best_of": [2, 8]}) == 100
    assert beside_responses(None) == 0
