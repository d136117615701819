"""PPO-ptx: the gradient of the loss on pretraining text joins each step of the policy, divided by its own tokens.

What it weighs is given, or set in the first iteration from the two gradients: so that the text pulls a given share as
hard as the rewards do. A given number does not carry over from one way of reducing losses to another; a ratio does.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from torch import Tensor, nn
from transformers import PreTrainedModel

from training.rlhf.batching import Batching
from training.rlhf.contract.stages import Ppo
from training.rlhf.layouts import Exchange, response_logits
from training.rlhf.losses import token_logprobs
from training.rlhf.texts import Windows


@dataclass
class Mixing:
    """Of one iteration. coef: of the text's loss; None while it is to be set, which the first iteration does."""

    policy: PreTrainedModel
    windows: Windows | None
    settings: Ppo
    batching: Batching
    iteration: int
    coef: float | None
    before_batch: Callable[[], object] = lambda: None
    losses: list[float] = field(default_factory=list)
    norms: tuple[float, float] = (0.0, 0.0)
    """Summed over the minibatches in which the coefficient is set: of the rewards' gradient, and of the text's."""

    def __post_init__(self) -> None:
        settings = self.settings
        per_epoch = settings.episodes_per_iteration // settings.minibatch_episodes
        self.step = (self.iteration - 1) * settings.epochs * per_epoch
        self.calibrating = self.coef is None

    def add_gradients(self, minibatch: Sequence[int]) -> None:
        """Call it when the rewards' gradients of a minibatch are there, before the step."""
        if self.windows is None:
            return
        self.step += 1
        if self.calibrating:
            self._calibrate(self.windows)
        else:
            assert self.coef is not None
            self._backward(self.windows, self.coef)

    def _calibrate(self, windows: Windows) -> None:
        """The coefficient so far is the wanted ratio times the rewards' mean norm over the text's."""
        assert self.settings.ptx.calibrate is not None
        parameters = [parameter for parameter in self.policy.parameters() if parameter.requires_grad]
        rewards = [parameter.grad for parameter in parameters]
        for parameter in parameters:
            parameter.grad = None
        self._backward(windows, 1.0)
        of_rewards, of_text = gradient_norm(rewards), gradient_norm([parameter.grad for parameter in parameters])
        self.norms = (self.norms[0] + of_rewards, self.norms[1] + of_text)
        self.coef = self.settings.ptx.calibrate * self.norms[0] / self.norms[1] if self.norms[1] else 0.0
        for parameter, own in zip(parameters, rewards, strict=True):
            if parameter.grad is not None:
                parameter.grad.mul_(self.coef)
            if own is not None:
                parameter.grad = own if parameter.grad is None else own.add_(parameter.grad)

    def _backward(self, windows: Windows, coef: float) -> None:
        size = max(1, round(self.settings.ptx.ratio * self.settings.minibatch_episodes))
        rows = windows.take(windows.of_step(self.step, size=size)).tolist()
        exchanges = [Exchange(window[:1], [window[1:]]) for window in rows]
        tokens = sum(len(window) - 1 for window in rows)
        total = 0.0
        for _, layout in replace(self.batching, shared=False).layouts(exchanges):
            self.before_batch()
            loss = -token_logprobs(response_logits(self.policy, layout), layout.targets).sum()
            (coef * loss / tokens).backward()
            total += float(loss.detach())
        self.losses.append(total / tokens)

    def seen(self) -> dict[str, float]:
        if not self.losses:
            return {}
        return {"ptx_loss": sum(self.losses) / len(self.losses), "ptx_coef": self.coef or 0.0}


def gradient_norm(gradients: Sequence[Tensor | None]) -> float:
    """Of all of them together."""
    found = [gradient for gradient in gradients if gradient is not None]
    return float(nn.utils.get_total_norm(found)) if found else 0.0
