"""The running spread of scores, by which PPO may divide them: never shifted, since that would move the optimum."""

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class RunningSpread:
    """Of all scores of the run so far. squares: summed squared distances from the mean.

    Source: Chan et al. 1979, "Updating formulae and a pairwise algorithm for computing sample variances".
    """

    count: int = 0
    mean: float = 0.0
    squares: float = 0.0

    def with_more(self, scores: Tensor) -> "RunningSpread":
        """scores: (R,)."""
        more, many = scores.double(), len(scores)
        count, distance = self.count + many, float(more.mean()) - self.mean
        squares = self.squares + float((more - more.mean()).square().sum())
        return RunningSpread(
            count,
            self.mean + distance * many / count,
            squares + distance**2 * self.count * many / count,
        )

    @property
    def value(self) -> float:
        """The standard deviation; 1 where all scores are one number, which then stay as they are."""
        return (self.squares / self.count) ** 0.5 if self.count and self.squares > 0 else 1.0
