"""Models: load, save, make room for new tokens, and the scalar head of reward and value models.

Any causal model that transformers loads from a folder of safetensors, without running code that comes with it. Weights
are float32; where a GPU allows it, matrix products run in bfloat16 under autocast, and whatever comes out of a head is
float32 again.
"""

import contextlib
import math
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, Self, cast

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import AutoModel, AutoModelForCausalLM, PreTrainedModel
from transformers.utils import logging as transformers_logging

from training.rlhf.contract.exit_codes import ConfigRefused, InputMissing
from training.rlhf.contract.settings import Precision
from training.rlhf.layouts import Layout, read
from training.rlhf.tokens import ChatTokens

transformers_logging.disable_progress_bar()  # a log is read later, by people

WITHOUT_SDPA = "does not support an attention implementation through torch.nn.functional.scaled_dot_product_attention"
"""What transformers says of models that compute their attention in plain steps alone, as GPT-J."""
HEAD_FILE = "scalar_head.safetensors"


def load_causal_lm(folder: Path, *, device: torch.device, activation_checkpointing: bool = False) -> PreTrainedModel:
    """A language model in float32, in evaluation mode. Raises InputMissing if the folder holds none.

    activation_checkpointing: in training, compute activations twice and hold fewer of them.
    """
    model: PreTrainedModel = _load(AutoModelForCausalLM, folder)
    if activation_checkpointing:
        model.activation_checkpointing_enable()
    return model.to(device).eval()  # type: ignore[arg-type]


def _load(auto_class: Any, folder: Path) -> Any:
    try:
        model = _read(auto_class, folder)
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        raise InputMissing(f"{folder} holds no model that can be loaded: {error}") from error
    silence_dropout(model)
    return model


def _read(auto_class: Any, folder: Path) -> Any:
    """With the faster attention, or with the plain one where this class of models has no other."""
    loaded = partial(
        auto_class.from_pretrained, folder, dtype=torch.float32, use_safetensors=True, local_files_only=True,
        trust_remote_code=False,
    )  # fmt: skip
    try:
        return loaded(attn_implementation="sdpa")
    except ValueError as error:
        if WITHOUT_SDPA not in str(error):
            raise
        return loaded(attn_implementation="eager")


def silence_dropout(model: nn.Module) -> None:
    """Takes away the dropout that a model brings along (GPT-2: 0.1 in four places), so that config.json alone decides.

    Some blocks hold it as a layer, others as a number that they hand to their attention.
    """
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
        for name, value in vars(module).items():
            if "dropout" in name and isinstance(value, float):
                setattr(module, name, 0.0)


def save_causal_lm(model: PreTrainedModel, tokens: ChatTokens, folder: Path) -> None:
    """Writes `folder/model`: weights as safetensors, config, tokenizer and chat template."""
    target = folder / "model"
    model.generation_config.eos_token_id = list(tokens.stop_token_ids)
    model.generation_config.pad_token_id = tokens.pad_token_id
    model.save_pretrained(target)
    tokens.tokenizer.save_pretrained(target)


def grow_vocabulary(model: PreTrainedModel, tokens: ChatTokens) -> None:
    """Gives tokens that were added to the tokenizer their rows in the embeddings: the mean of those that are there."""
    embeddings = model.get_input_embeddings()
    assert isinstance(embeddings, nn.Embedding)
    before = embeddings.num_embeddings
    if tokens.vocabulary <= before:
        return
    model.resize_token_embeddings(tokens.vocabulary, mean_resizing=False)
    with torch.no_grad():
        for layer in {model.get_input_embeddings(), model.get_output_embeddings()} - {None}:
            weight = layer.weight
            weight[before:] = weight[:before].mean(dim=0)


def check_context(model: PreTrainedModel, context_tokens: int) -> None:
    """Raises ConfigRefused if the model has no positions for so long a text."""
    positions = getattr(model.config, "max_position_embeddings", None)
    if positions is not None and context_tokens > positions:
        raise ConfigRefused(
            f"lengths.context_tokens is {context_tokens}; the model has positions for {positions} tokens"
        )


@contextlib.contextmanager
def compute_in(precision: Precision, device: torch.device) -> Iterator[None]:
    """The number format of matrix products inside the block, which may last for a whole run.

    Without autocast's cache: it keeps bfloat16 copies of the weights until the block ends, and every step that the
    optimizer takes inside it would go unseen.
    """
    bfloat16 = computes_in_bfloat16(precision, device)
    with torch.autocast(device.type, dtype=torch.bfloat16, enabled=bfloat16, cache_enabled=False):
        yield


def computes_in_bfloat16(precision: Precision, device: torch.device) -> bool:
    return precision.compute == "bfloat16" or (precision.compute == "auto" and device.type == "cuda")


def trunk_of(model: PreTrainedModel) -> PreTrainedModel:
    """The model without its language model head."""
    return cast(PreTrainedModel, model.base_model)


def add_residual_dropout(model: PreTrainedModel, probability: float) -> None:
    """Drops numbers from what each attention and feed-forward block adds to the residual stream, while training.

    Raises ConfigRefused for a model whose blocks cannot be told by their names.
    """
    if probability == 0:
        return

    def drop(module: nn.Module, arguments: Any, output: Any) -> Any:
        first = output[0] if isinstance(output, tuple) else output
        dropped = F.dropout(first, probability, training=module.training)
        return (dropped, *output[1:]) if isinstance(output, tuple) else dropped

    blocks = [
        module
        for name, module in trunk_of(model).named_modules()
        if name.rpartition(".")[2] in ("self_attn", "attn", "attention", "mlp", "feed_forward")
    ]
    if not blocks:
        raise ConfigRefused(
            f"sft.residual_dropout is {probability}; {type(model).__name__} has no blocks known by name"
        )
    for block in blocks:
        block.register_forward_hook(drop)


class ScalarModel(nn.Module):
    """A trunk and a linear head to one number a token: a reward model or a value model.

    The head is float32 whatever the trunk computes in: bfloat16 loses the difference of close scores.
    """

    def __init__(self, trunk: PreTrainedModel) -> None:
        super().__init__()
        self.trunk = trunk
        self.head = nn.Linear(trunk.config.hidden_size, 1)

    @classmethod
    def from_causal_lm(cls, model: PreTrainedModel, *, head_init_std: float | None = None, seed: int) -> Self:
        """A fresh head on a language model's trunk: std 1/sqrt(width + 1) unless another is given, bias 0.

        At one over the root of the width scores begin with a spread of about 1 (Stiennon et al. 2020, appendix).
        """
        scalar = cls(trunk_of(model)).to(model.device)
        std = 1 / math.sqrt(scalar.head.in_features + 1) if head_init_std is None else head_init_std
        drawn = torch.randn(scalar.head.in_features, generator=torch.Generator().manual_seed(seed)) * std
        with torch.no_grad():
            scalar.head.weight.copy_(drawn[None])
            scalar.head.bias.zero_()
        return scalar

    def forward(self, layout: Layout, where: Tensor) -> Tensor:
        """(N,) float32: the numbers at these flat indices of a layout, such as `layout.last` or `layout.before`."""
        hidden = read(self.trunk(**layout.inputs())[0], where)
        with torch.autocast(hidden.device.type, enabled=False):
            numbers: Tensor = self.head(hidden.to(self.head.weight.dtype))[:, 0]
        return numbers

    def save(self, tokens: ChatTokens, folder: Path) -> None:
        """Writes `folder/model`: trunk, tokenizer and head, bias included."""
        self.save_weights(folder / "model")
        tokens.tokenizer.save_pretrained(folder / "model")

    def save_weights(self, target: Path) -> None:
        """Writes trunk and head into this folder, without a tokenizer."""
        self.trunk.save_pretrained(target)
        head = {"weight": self.head.weight, "bias": self.head.bias}
        save_file({name: value.detach().cpu().contiguous() for name, value in head.items()}, target / HEAD_FILE)

    @classmethod
    def load(cls, folder: Path, *, device: torch.device) -> Self:
        """Raises InputMissing if the folder holds no trunk or no head."""
        if not (folder / HEAD_FILE).exists():
            raise InputMissing(f"{folder} is no reward model: it has no {HEAD_FILE}")
        scalar = cls(_load(AutoModel, folder))
        try:
            scalar.head.load_state_dict(load_file(folder / HEAD_FILE))
        except (SafetensorError, RuntimeError) as error:
            raise InputMissing(f"{folder / HEAD_FILE} does not fit this model: {error}") from error
        return scalar.to(device).eval()
