"""The models that bench/training.py trains: a 9M-parameter Llama made on the spot, in Accord's form and in a peer's.

Fresh weights never write a stop token; a few dozen steps on short human demonstrations give responses the lengths of
people's answers, which is what a rollout's cost hangs on.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import LlamaConfig, LlamaForCausalLM, LlamaForSequenceClassification

from bench.training_runs import SEED, THREADS, base_config, make_run
from training.rlhf import sft
from training.rlhf.attempt import attempt_stage
from training.rlhf.contract import settings, stages
from training.rlhf.contract.exit_codes import ExitCode
from training.rlhf.contract.records import Demonstration, Text
from training.rlhf.models import ScalarModel, grow_vocabulary, load_causal_lm, save_causal_lm
from training.rlhf.pretrain import train_tokenizer
from training.rlhf.tokens import ChatTokens, load_tokenizer, prepare_tokens

TAUGHT_TOKENS = 64
"""Prompt and response of a demonstration that teaches the model to end; there are more than enough of them."""


@dataclass(frozen=True)
class Shape:
    vocabulary: int = 8192
    width: int = 256
    feed_forward: int = 688
    layers: int = 6
    heads: int = 4
    context_tokens: int = 2048
    taught_steps: int = 40

    @property
    def trunk_weights(self) -> int:
        """Of the matrices that every token is multiplied with; embeddings are looked up."""
        return self.layers * (4 * self.width**2 + 3 * self.width * self.feed_forward)

    @property
    def head_weights(self) -> int:
        return self.vocabulary * self.width


@dataclass(frozen=True)
class MadeModels:
    """language: a causal model. reward: it with a scalar head, in Accord's form. peer_reward: the same for a peer."""

    language: Path
    reward: Path
    peer_reward: Path
    tokens: ChatTokens


def make_models(folder: Path, shape: Shape, demonstrations: Sequence[Demonstration]) -> MadeModels:
    fresh = _fresh(folder / "fresh", shape, demonstrations)
    language = _taught(folder / "taught", fresh, demonstrations, steps=shape.taught_steps)
    tokens = tokens_of(language)
    scalar = ScalarModel.from_causal_lm(load_causal_lm(language, device=torch.device("cpu")), seed=SEED)
    scalar.save(tokens, folder / "reward")
    _save_for_peer(scalar, tokens, folder / "peer_reward")
    return MadeModels(language, folder / "reward" / "model", folder / "peer_reward", tokens)


def tokens_of(folder: Path) -> ChatTokens:
    return prepare_tokens(load_tokenizer(folder), settings.Tokens(), settings.Conditioning())


def _fresh(folder: Path, shape: Shape, demonstrations: Sequence[Demonstration]) -> Path:
    texts = [Text(id=row.id, text=f"{row.messages[-1].content}\n{row.response.text}") for row in demonstrations]
    tokenizer = train_tokenizer(texts, stages.Pretrain(steps=1, vocabulary=shape.vocabulary), seed=SEED)
    tokens = prepare_tokens(tokenizer, settings.Tokens(), settings.Conditioning())
    torch.manual_seed(SEED)
    model = LlamaForCausalLM(LlamaConfig(
        vocab_size=shape.vocabulary, hidden_size=shape.width, intermediate_size=shape.feed_forward,
        num_hidden_layers=shape.layers, num_attention_heads=shape.heads, num_key_value_heads=shape.heads,
        max_position_embeddings=shape.context_tokens, tie_word_embeddings=False, pad_token_id=tokens.pad_token_id,
        bos_token_id=None, eos_token_id=tokens.stop_token_ids[0],
    ))  # fmt: skip
    grow_vocabulary(model, tokens)
    save_causal_lm(model, tokens, folder)
    return folder / "model"


def _taught(folder: Path, fresh: Path, demonstrations: Sequence[Demonstration], *, steps: int) -> Path:
    tokens = tokens_of(fresh)
    short = [
        row
        for row in demonstrations
        if len(tokens.prompt_ids(row.messages)) + len(tokens.response_ids(row.response.text)) <= TAUGHT_TOKENS
    ][: 16 * steps]
    config = base_config("sft", models={"init": "models/init"}, data={"train": ["rows"]})
    config["optimizer"]["learning_rate"] = 2e-3
    config["sft"] = {"epochs": max(1, -(-16 * steps // len(short))), "sequences_per_step": 16, "keep_epochs": False}
    run = make_run(folder, config, models={"init": fresh}, data={"rows": ("demonstration", short)})
    code = attempt_stage(run, "sft", sft.train)
    if code != ExitCode.DONE:
        raise RuntimeError(f"the model could not be taught to end its responses: {code.name} in {folder}")
    torch.set_num_threads(THREADS)
    return run.model


def _save_for_peer(scalar: ScalarModel, tokens: ChatTokens, folder: Path) -> None:
    """The same trunk and head as a sequence classifier. A bias, which it lacks, is 0 in a fresh head."""
    config: Any = scalar.trunk.config
    config.num_labels = 1
    model = LlamaForSequenceClassification(config)
    model.model.load_state_dict(scalar.trunk.state_dict())
    with torch.no_grad():
        model.score.weight.copy_(scalar.head.weight)
    model.save_pretrained(folder)
    tokens.tokenizer.save_pretrained(folder)
