"""A reward model of one or several members, whose mean is the score and whose spread says how sure it is.

In a folder the first member stands where a lone reward model stands, the others in `members/1`, `members/2`, …: trunk
and head without a tokenizer, since all share the first one's. What conditions add to the score is in accord.json.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self, cast

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from training.rlhf.layouts import Layout
from training.rlhf.models import ScalarModel
from training.rlhf.release import ACCORD_FILE
from training.rlhf.tokens import ChatTokens

MEMBERS = "members"


class Ensemble(nn.Module):
    """Reward models that learned from the same rankings with other heads and in another order.

    score_bias: condition ("" for none) -> what was added to raw scores. That of "" is in the heads; what another
    condition's differs from it is `shift`.
    """

    def __init__(self, members: Sequence[ScalarModel], *, score_bias: Mapping[str, float] | None = None) -> None:
        super().__init__()
        if not members:
            raise ValueError("an ensemble has no members; expected at least one")
        self.members = nn.ModuleList(members)
        self.score_bias = dict(score_bias or {})

    @property
    def each(self) -> list[ScalarModel]:
        return cast(list[ScalarModel], list(self.members))

    @property
    def trunk(self) -> PreTrainedModel:
        """The first member's; the others are of the same shape."""
        return self.each[0].trunk

    def of_members(self, layout: Layout, where: Tensor) -> Tensor:
        """(M, N) float32: what each member says at these flat indices of a layout."""
        return torch.stack([member(layout, where) for member in self.each])

    def forward(self, layout: Layout, where: Tensor) -> Tensor:
        """(N,) float32: the mean of the members."""
        return self.of_members(layout, where).mean(0)

    def shift(self, condition: str | None) -> float:
        """What a score under this condition has on top of what the model itself says."""
        if condition is None or condition not in self.score_bias:
            return 0.0
        return self.score_bias[condition] - self.score_bias.get("", 0.0)

    def save(self, tokens: ChatTokens, folder: Path) -> None:
        """Writes `folder/model`."""
        first, *others = self.each
        first.save(tokens, folder)
        for number, member in enumerate(others, start=1):
            member.save_weights(folder / "model" / MEMBERS / str(number))

    @classmethod
    def load(cls, folder: Path, *, device: torch.device) -> Self:
        """Raises InputMissing if a member has no trunk or no head."""
        others = sorted((folder / MEMBERS).glob("*"), key=lambda path: int(path.name))
        members = [ScalarModel.load(one, device=device) for one in (folder, *others)]
        facts = folder / ACCORD_FILE
        told = json.loads(facts.read_text(encoding="utf-8")) if facts.exists() else {}
        return cls(members, score_bias=told.get("score_bias")).eval()


def spread_of(scores: Tensor) -> Tensor:
    """(M, N) scores of members -> (N,) their standard deviation over members; 0 for one."""
    return scores.std(0, correction=0)
