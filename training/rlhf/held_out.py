"""What a reward model is worth on held-out rankings: the figures of the report, and the scores themselves."""

from collections.abc import Callable, Sequence
from typing import Any

import torch

from training.rlhf.accuracies import accuracy, among_people, by_cohort, by_labeler, by_length, over_prompts
from training.rlhf.batching import Batching, score
from training.rlhf.calibration import calibration
from training.rlhf.contract.records import Comparison, Ranking, Response
from training.rlhf.ensemble import Ensemble, spread_of
from training.rlhf.intervals import Interval
from training.rlhf.layouts import Exchange
from training.rlhf.losses import ranking_loss
from training.rlhf.models import ScalarModel
from training.rlhf.rankings import Item, agreement, answer_ids, pairs_of
from training.rlhf.run import Run
from training.rlhf.steps import need_finite
from training.rlhf.tokens import Budget, ChatTokens


def measure(
    members: Sequence[ScalarModel],
    items: Sequence[Item],
    *,
    batching: Batching,
    before_batch: Callable[[], object] = lambda: None,
) -> tuple[dict[str, float], dict[str, Any]]:
    """Metrics, and figures for the report, each beside the other ways to guess. Both empty without items.

    A prompt is an item for each condition that it was judged under; intervals are over prompts.
    """
    if not items:
        return {}, {}
    exchanges = [item.exchange for item in items]
    of_members = [score(member, exchanges, batching=batching, before_batch=before_batch) for member in members]
    scores = [
        [sum(said) / len(said) for said in zip(*of_item, strict=True)] for of_item in zip(*of_members, strict=True)
    ]
    losses = ranking_loss(torch.tensor([said for of_prompt in scores for said in of_prompt]), pairs_of(items)).tolist()
    ours, comparisons = zip(*map(agreement, items, scores), strict=True)
    lengths = [[float(len(response)) for response in exchange.responses] for exchange in exchanges]
    longer, _ = zip(*map(agreement, items, lengths), strict=True)

    def over(totals: Sequence[float], counts: Sequence[float]) -> Interval:
        return over_prompts(zip([item.id for item in items], totals, counts, strict=True))

    numbers = {"loss": sum(losses) / len(losses), "accuracy": sum(ours) / sum(comparisons)}
    told: dict[str, Any] = {}
    if len(members) > 1:
        numbers["score_spread"] = mean_spread(of_members)
        each = [accuracy(items, said) for said in of_members]
        told = {"members": {"accuracy": each, "score_spread": numbers["score_spread"]}}
    return numbers, {
        "loss": over(losses, [1.0] * len(losses)),
        "accuracy": over(ours, comparisons),
        "longer_is_better": over(longer, comparisons),
        "accuracy_over_longer": over([a - b for a, b in zip(ours, longer, strict=True)], comparisons),
        "chance": 0.5,
        "people": among_people(items),
        "by_length": by_length(items, scores),
        "by_labeler": by_labeler(items, scores),
        "by_cohort": by_cohort(items, scores),
        "calibration": calibration(items, scores),
        **told,
    }


def mean_spread(of_members: Sequence[Sequence[Sequence[float]]]) -> float:
    """Mean over responses of the standard deviation of what the members say."""
    flat = torch.tensor([[said for of_item in member for said in of_item] for member in of_members])
    return float(spread_of(flat).mean())


def scored_responses(run: Run, tokens: ChatTokens, ensemble: Ensemble, *, batching: Batching) -> list[Response]:
    """A row for every response of the validation rankings under every condition, its score in it and its text not."""
    config = run.config
    told: Sequence[str | None] = (None,)
    if config.conditioning.mode == "message":
        told = (None, *sorted(config.conditioning.conditions))
    exchanges, named = [], []
    for row in run.inputs.rows(config.data.validation, "ranking", "comparison"):
        ranking = row.as_ranking() if isinstance(row, Comparison) else row
        assert isinstance(ranking, Ranking)
        responses = [answer_ids(answer, tokens, row_id=ranking.id) for answer in ranking.responses]
        for condition in told:
            exchange = Exchange(tokens.prompt_of(ranking, condition=condition), responses)
            if Budget(config.lengths).fits(ranking, prompt=exchange.prompt, responses=exchange.responses):
                exchanges.append(exchange)
                named.append((ranking, condition))
    scores = score(
        ensemble, exchanges, batching=batching, before_batch=run.poll,
        shifts=[ensemble.shift(condition) for _, condition in named],
    )  # fmt: skip
    for (ranking, condition), of_ranking in zip(named, scores, strict=True):
        for answer, said in zip(ranking.responses, of_ranking, strict=True):
            need_finite(said, response=f"{ranking.id}/{answer.id}/{condition or ''}", model="the reward model")
    return [
        Response(
            id=f"{ranking.id}/{answer.id}/{condition or ''}", prompt=ranking.id, text="", token_ids=(), finish="stop",
            generator="ranked", condition=condition, scores={"reward": said},
        )
        for (ranking, condition), of_ranking in zip(named, scores, strict=True)
        for answer, said in zip(ranking.responses, of_ranking, strict=True)
    ]  # fmt: skip
