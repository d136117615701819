"""What a round is doing, in the sentence that its page opens with."""

from collections.abc import Sequence

from django.core.cache import cache

from training.evaluation import evaluation_of
from training.models import Round, Stage
from training.views import findings
from training.views.stage_cards import StageCard, progress_of

Kind = Stage.Kind

IS_DOING = {
    Kind.PRETRAIN: "is training its base model",
    Kind.SFT: "is learning from demonstrations",
    Kind.SAMPLE: "is sampling responses to rank",
    Kind.RANK: "is being ranked",
    Kind.REWARD: "is training its reward model",
    Kind.PPO: "is training its policy",
    Kind.DPO: "is training its policy",
    Kind.EVALUATE: "is being evaluated",
}


def claim_of(round_: Round, cards: Sequence[StageCard]) -> str:
    """cards: of its stages, in their order. No figures: those are at the stages, which are kept up to date."""
    name = f"Round {round_.number}"
    if all(card.shape == "done" for card in cards):
        return f"{name} is done."
    done = sum(card.shape == "done" for card in cards)
    if round_.state == Round.State.CLOSED or round_.recorded:
        how = "was run elsewhere" if round_.recorded else "is closed"
        return f"{name} {how}, with {done} of {len(cards)} stages done."
    for shape, words in (
        ("running", lambda card: f"{name} {IS_DOING[Kind(card.kind)]}."),
        ("failed", lambda card: f"{name} stands still: {card.label} {card.words[:1].lower()}{card.words[1:]}."),
        ("ready", lambda card: _waits(name, card, round_)),
    ):
        for card in cards:
            if card.shape == shape:
                return words(card)
    return f"{name} waits, with {done} of {len(cards)} stages done."


KEEP_SECONDS = 24 * 3600


def finding_of(round_: Round, stages: Sequence[Stage]) -> str:
    """What people or simulated raters found of a round whose evaluation is done, in the sentence of its page; empty
    before. Reckoned once for so many ratings."""
    done = [one for one in stages if one.kind == Kind.EVALUATE and one.state == Stage.State.DONE and one.campaign]
    if not done:
        return ""
    campaign = done[0].campaign
    assert campaign is not None
    rated = progress_of([campaign])[campaign.pk].done
    key = f"finding:{campaign.pk}:{rated}"
    found: str | None = cache.get(key)
    if found is None:
        evaluation = evaluation_of(round_, campaign) if rated else None
        found = findings.claim_of(evaluation, over=True) if evaluation and evaluation.said else ""
        cache.set(key, found, KEEP_SECONDS)
    return found


def _waits(name: str, card: StageCard, round_: Round) -> str:
    """Its stage may be ready to be launched, or have a job that is queued or paused."""
    if card.words != "Ready":
        return f"{name} waits: {card.label} is {card.words[:1].lower()}{card.words[1:]}."
    if round_.runs_itself:
        return f"{name} goes on with {card.label} next."
    return f"{name} waits for you: {card.label} can start."
