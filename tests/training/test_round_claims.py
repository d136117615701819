"""The sentence that the page of a round opens with."""

import pytest

from training.models import Round
from training.views.round_claims import claim_of
from training.views.stage_cards import StageCard

ROUND = Round(number=2)


def card(kind: str, shape: str, words: str = "") -> StageCard:
    label = {"sft": "SFT", "reward": "Reward model", "ppo": "PPO"}[kind]
    return StageCard(kind=kind, label=label, shape=shape, words=words, facts=[], part="")


@pytest.mark.parametrize(
    ("cards", "says"),
    [
        ([card("sft", "done"), card("ppo", "running", "Running, 64 %")], "Round 2 is training its policy."),
        ([card("reward", "running"), card("sft", "failed", "Failed")], "Round 2 is training its reward model."),
        ([card("reward", "failed", "Failed"), card("ppo", "waiting")], "Round 2 stands still: Reward model failed."),
        ([card("sft", "done"), card("reward", "ready", "Ready")], "Round 2 waits for you: Reward model can start."),
        ([card("ppo", "ready", "Paused at step 18")], "Round 2 waits: PPO is paused at step 18."),
        ([card("sft", "waiting"), card("ppo", "waiting")], "Round 2 waits, with 0 of 2 stages done."),
        ([card("sft", "done"), card("ppo", "done")], "Round 2 is done."),
    ],
)
def test_it_says_what_the_round_is_doing(cards: list[StageCard], says: str) -> None:
    assert claim_of(ROUND, cards) == says


def test_a_round_that_runs_itself_waits_for_nobody() -> None:
    runs_itself = Round(number=2, runs_itself=True)
    assert claim_of(runs_itself, [card("sft", "ready", "Ready")]) == "Round 2 goes on with SFT next."


def test_a_closed_or_recorded_round_does_nothing_any_more() -> None:
    cards = [card("sft", "done"), card("ppo", "ready", "Ready")]
    assert claim_of(Round(number=2, state="closed"), cards) == "Round 2 is closed, with 1 of 2 stages done."
    recorded = Round(number=2, recorded="python -m x")
    assert claim_of(recorded, cards) == "Round 2 was run elsewhere, with 1 of 2 stages done."
