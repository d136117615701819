"""Score against KL as figures of a job, and the text that PPO is given where its weight is to be set."""

from typing import Any

import pytest
from django.template.loader import render_to_string

from training.comparing import StagePair
from training.models import Job, Stage
from training.preflight import needs_of
from training.sizes import beside_responses
from training.views.comparison import points_beside
from training.views.figures import beside_of
from training.views.frontier_plot import frontier_plot


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


REST: dict[str, Any] = {"label": "PPO", "settings": [], "data": []}


def with_points(*points: dict[str, Any]) -> Job:
    return Job(kind=Job.Kind.PPO, report={"beside": {"prompts": 4, "points": list(points)}})


def point(kind: str, at: float, score: float) -> dict[str, Any]:
    return {"kind": kind, "at": at, "kl": interval(3.0), "score": interval(score), "response_tokens": interval(20.0)}


def test_the_points_of_two_rounds_stand_side_by_side_by_what_they_are() -> None:
    first = with_points(point("policy", 12, 1.0), point("best_of", 4, 0.5))
    second = with_points(point("best_of", 4, -0.5), point("best_of", 8, 0.7))
    told = points_beside(StagePair(kind="ppo", first=first, second=second, **REST))
    assert [(one.name, one.first[:5], one.second[:6]) for one in told] == [
        ("Policy after iteration 12", "1.000", "–"),
        ("SFT, best of 4", "0.500", "−0.500"),
        ("SFT, best of 8", "–", "0.700 "),
    ]
    assert told[0].first == "1.000 (0.500 to 1.500); 3.00 nats from SFT, 20.0 tokens a response"
    assert told[0].note == "score, and KL from SFT"


def test_a_round_without_points_and_one_that_is_not_there_have_none() -> None:
    one = with_points(point("policy", 12, 1.0))
    told = points_beside(StagePair(kind="ppo", first=one, second=None, **REST))
    assert [(line.first[:5], line.second) for line in told] == [("1.000", "–")]
    assert points_beside(StagePair(kind="ppo", first=Job(kind="ppo", report=None), second=None, **REST)) == []


def beside_point(kind: str, at: float, kl: float, score: float, low: float | None = None) -> dict[str, Any]:
    return {
        "kind": kind, "at": at, "kl": {"mean": kl}, "response_tokens": {"mean": 9.0},
        "score": {"mean": score, "low": low, "high": None if low is None else 2 * score - low},
    }  # fmt: skip


def test_the_plot_tells_each_kind_by_shape_and_name_and_joins_the_policys_course() -> None:
    points = [
        beside_point("policy", 10, 1.0, 0.5, 0.25), beside_point("policy", 20, 2.0, 1.0, 0.0),
        beside_point("temperature", 0.5, 0.5, 0.25), beside_point("best_of", 4, 0.0, 2.0),
    ]  # fmt: skip
    plot = frontier_plot({"beside": {"prompts": 4, "points": points}})
    assert plot is not None
    assert plot.course == "185.0,164.0 326.0,114.0"
    drawn = render_to_string("jobs/_frontier.html", {"frontier": plot})
    assert [drawn.count(shape) for shape in ("<circle", "<rect", "<polygon")] == [2, 1, 1]
    assert [
        f">{words}</text>" in drawn for words in ("PPO 20", "T 0.5", "4", "score", "KL to SFT, nats a response")
    ] == [True] * 5
    assert drawn.count('class="whisker') == 2


def test_without_two_points_there_is_no_plot() -> None:
    assert frontier_plot(None) is None
    assert frontier_plot({"beside": {"points": [beside_point("policy", 1, 1.0, 1.0)]}}) is None
