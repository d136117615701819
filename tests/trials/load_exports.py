"""Loads files of exports as their readers would, and trains five steps on them: trial_clients.py runs it.

No code of Accord's: datasets, pandas, polars, TRL and nothing else.
"""

import json
import sys
from pathlib import Path
from typing import Any

import pandas
import polars
from datasets import Dataset, load_dataset
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    LlamaForSequenceClassification,
    PreTrainedTokenizerFast,
)
from trl import DPOConfig, DPOTrainer, RewardConfig, RewardTrainer, SFTConfig, SFTTrainer

READERS = {".jsonl": "json", ".gz": "json", ".zst": "json", ".parquet": "parquet", ".csv": "csv"}
TEMPLATE = (
    "{% for message in messages %}<|{{ message['role'] }}|>{{ message['content'] }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
STEPS = 5
USED_ROWS = 40


def main(folder: Path) -> dict[str, Any]:
    said: dict[str, Any] = {}
    loaded: dict[str, Dataset] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix in READERS:
            loaded[path.name] = load_dataset(
                READERS[path.suffix], data_files=str(path), split="train", cache_dir=str(folder / "cache")
            )
            said[path.name] = {"rows": len(loaded[path.name]), "columns": loaded[path.name].column_names}
    for path in sorted(folder.glob("*.parquet")):
        said[f"pandas {path.name}"] = {"rows": len(pandas.read_parquet(path))}
        said[f"polars {path.name}"] = {"rows": polars.read_parquet(path).height}
    tokenizer = made_tokenizer(loaded["messages.jsonl"])
    arguments: dict[str, Any] = {
        "output_dir": str(folder / "out"),
        "max_steps": STEPS,
        "per_device_train_batch_size": 2,
        "max_length": 1024,  # the trainers' own; a shorter one leaves pairs of longer texts out, here all
        "use_cpu": True,
        "bf16": False,
        "report_to": "none",
        "save_strategy": "no",
        "logging_steps": 1,
    }
    for name, made in {
        "SFTTrainer messages": lambda: SFTTrainer(
            model=made_model(tokenizer), args=SFTConfig(**arguments),
            train_dataset=loaded["messages.jsonl"].select(range(USED_ROWS)),
            processing_class=tokenizer,
        ),
        "SFTTrainer prompt_completion": lambda: SFTTrainer(
            model=made_model(tokenizer), args=SFTConfig(**arguments),
            train_dataset=loaded["prompt_completion.parquet"].select(range(USED_ROWS)), processing_class=tokenizer,
        ),
        "RewardTrainer preference": lambda: RewardTrainer(
            model=made_scorer(tokenizer), args=RewardConfig(**arguments),
            train_dataset=loaded["margin.jsonl"].select(range(USED_ROWS)),
            processing_class=tokenizer,
        ),
        "DPOTrainer preference": lambda: DPOTrainer(
            model=made_model(tokenizer), ref_model=made_model(tokenizer), args=DPOConfig(**arguments),
            train_dataset=loaded["preference.parquet"].select(range(USED_ROWS)),
            processing_class=tokenizer,
        ),
    }.items():  # fmt: skip
        trainer = made()
        trainer.train()
        losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
        said[name] = {"steps": trainer.state.global_step, "losses": losses}
    return said


def made_tokenizer(texts: Dataset) -> PreTrainedTokenizerFast:
    words = Tokenizer(models.BPE())
    words.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    special = ["<|pad|>", "<|end|>", "<|system|>", "<|user|>", "<|assistant|>"]
    words.train_from_iterator(
        (turn["content"] for row in texts for turn in row["messages"]),
        trainers.BpeTrainer(
            vocab_size=1000, special_tokens=special, initial_alphabet=pre_tokenizers.ByteLevel.alphabet()
        ),
    )
    made = PreTrainedTokenizerFast(tokenizer_object=words, pad_token="<|pad|>", eos_token="<|end|>")
    made.chat_template = TEMPLATE
    return made


def _config(tokenizer: PreTrainedTokenizerFast, **more: Any) -> LlamaConfig:
    return LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2,
        max_position_embeddings=1024, pad_token_id=tokenizer.pad_token_id, eos_token_id=tokenizer.eos_token_id, **more,
    )  # fmt: skip


def made_model(tokenizer: PreTrainedTokenizerFast) -> LlamaForCausalLM:
    return LlamaForCausalLM(_config(tokenizer))


def made_scorer(tokenizer: PreTrainedTokenizerFast) -> LlamaForSequenceClassification:
    return LlamaForSequenceClassification(_config(tokenizer, num_labels=1))


if __name__ == "__main__":
    print("SAID " + json.dumps(main(Path(sys.argv[1]))))
