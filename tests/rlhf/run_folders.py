"""Run folders made on the spot: a tokenizer of a few words, a tiny model, data files, a config."""

import copy
import json
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from training.rlhf.attempt import attempt_stage
from training.rlhf.contract.exit_codes import ExitCode
from training.rlhf.contract.records import Kind, Row
from training.rlhf.contract.run_folder import (
    ModelEntry,
    RunFolder,
    model_identity,
    write_data_file,
    write_data_manifest,
    write_models_manifest,
)
from training.rlhf.contract.settings import Conditioning, Tokens
from training.rlhf.models import ScalarModel, grow_vocabulary, load_causal_lm, save_causal_lm
from training.rlhf.tokens import ChatTokens, prepare_tokens

WORDS = [f"w{number}" for number in range(24)]
REPOSITORY = Path(__file__).resolve().parents[2]


def make_tokens() -> ChatTokens:
    """One token a word, ours for roles and end of turn."""
    vocabulary = {word: number for number, word in enumerate(["<|end_of_text|>", "<unk>", *WORDS])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<|end_of_text|>", unk_token="<unk>")
    return prepare_tokens(fast, Tokens(), Conditioning())


def make_language_model(folder: Path, *, shape: str = "llama", seed: int = 0) -> Path:
    """Saves `folder/model` and returns it."""
    tokens = make_tokens()
    torch.manual_seed(seed)
    if shape == "llama":
        model: Any = LlamaForCausalLM(LlamaConfig(
            vocab_size=tokens.vocabulary, hidden_size=32, intermediate_size=64, num_hidden_layers=2,
            num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=128, initializer_range=0.1,
            bos_token_id=None, eos_token_id=tokens.stop_token_ids[0], pad_token_id=tokens.pad_token_id,
        ))  # fmt: skip
    else:
        model = GPT2LMHeadModel(GPT2Config(
            vocab_size=tokens.vocabulary, n_embd=32, n_layer=2, n_head=4, n_positions=128, initializer_range=0.1,
            bos_token_id=None, eos_token_id=tokens.stop_token_ids[0], pad_token_id=tokens.pad_token_id,
        ))  # fmt: skip
    grow_vocabulary(model, tokens)
    save_causal_lm(model, tokens, folder)
    return folder / "model"


def make_reward_model(folder: Path, *, shape: str = "llama", seed: int = 7) -> Path:
    """Saves a fresh reward model as `folder/model`."""
    trunk = load_causal_lm(make_language_model(folder / "trunk", shape=shape, seed=seed), device=torch.device("cpu"))
    ScalarModel.from_causal_lm(trunk, seed=seed).save(make_tokens(), folder)
    return folder / "model"


def make_run(
    root: Path,
    config: Mapping[str, Any],
    *,
    models: Mapping[str, Path] | None = None,
    data: Mapping[str, tuple[Kind, Iterable[Row]]] | None = None,
) -> RunFolder:
    """Writes everything above the line: config, data and models with their manifests."""
    folder = RunFolder(root)
    (root / "models").mkdir(parents=True)
    entries = []
    for role, path in (models or {}).items():
        (root / "models" / role).symlink_to(path)
        entries.append(ModelEntry(path=f"models/{role}", sha256=model_identity(path)))
    write_models_manifest(folder, entries)
    write_data_manifest(
        folder, [write_data_file(folder, name, kind, rows) for name, (kind, rows) in (data or {}).items()]
    )
    folder.config.write_text(json.dumps(config))
    return folder


def base_config(stage: str, **sections: Any) -> dict[str, Any]:
    """A config with what a tiny model on one thread needs; sections are merged over it."""
    config: dict[str, Any] = {
        "format": 1, "stage": stage, "job": "test", "seed": 5,
        "lengths": {"prompt_tokens": 32, "response_tokens": 16, "context_tokens": 64},
        "hardware": {"threads": 1, "device": "cpu", "micro_batch_tokens": 400},
        "optimizer": {"learning_rate": 1e-3},
        "checkpoints": {"every_steps": 2},
    }  # fmt: skip
    for name, section in sections.items():
        config[name] = {**config.get(name, {}), **section} if isinstance(section, dict) else section
    return copy.deepcopy(config)


def run_here(folder: RunFolder, stage: Any) -> ExitCode:
    """The stage in this process."""
    name = stage.__name__.rpartition(".")[2]
    return attempt_stage(folder, name, stage.train)


def run_in_process(folder: RunFolder, stage: str, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", f"training.rlhf.{stage}", str(folder.root)], cwd=REPOSITORY, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={"PATH": os.defpath, "OMP_NUM_THREADS": "1", **environment},
    )  # fmt: skip


def read_json(path: Path) -> Any:
    return json.loads(path.read_text())


def read_lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]
