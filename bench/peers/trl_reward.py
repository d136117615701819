"""TRL's RewardTrainer on the token ids of a task, each comparison a pair of rows: all C(K, 2) of a prompt one by one.

python bench/peers/trl_reward.py TASK.json (bench/training.py runs it)
"""

import json
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from datasets import Dataset
from transformers import AutoModelForSequenceClassification, AutoTokenizer, TrainerCallback
from trl import RewardConfig, RewardTrainer

from bench.peers.turns import Turns

task: dict[str, Any] = json.loads(Path(sys.argv[1]).read_text())
turns = Turns(warm_steps=task["warm_steps"], steps=task["steps"])


class Told(TrainerCallback):
    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **kwargs: Any) -> None:
        if "loss" not in (logs or {}):
            return
        if state.global_step == 1:
            turns.facts["first_loss"] = float(logs["loss"])
        turns.after_step(task["prompts_per_step"])


pairs = [
    {"chosen_ids": row["prompt"] + row["responses"][better], "rejected_ids": row["prompt"] + row["responses"][worse]}
    for row in task["rows"]
    for better in range(len(row["responses"]))
    for worse in range(better + 1, len(row["responses"]))
]
if task["grouped_by_length"]:
    for pair in pairs:
        pair["length"] = max(map(len, pair.values()))
trainer = RewardTrainer(
    model=AutoModelForSequenceClassification.from_pretrained(
        task["model"], dtype="float32", attn_implementation="sdpa", num_labels=1
    ),
    processing_class=AutoTokenizer.from_pretrained(task["model"]),
    train_dataset=Dataset.from_list(pairs),
    args=RewardConfig(
        output_dir=task["output"], per_device_train_batch_size=task["batch_pairs"],
        gradient_accumulation_steps=task["accumulate"], max_steps=1_000_000, logging_steps=1, save_strategy="no",
        report_to="none", use_cpu=True, bf16=False, gradient_checkpointing=False, disable_tqdm=True, max_length=2048,
        learning_rate=task["learning_rate"], lr_scheduler_type="constant", adam_beta1=0.9, adam_beta2=0.95,
        adam_epsilon=1e-5, logging_nan_inf_filter=False, length_column_name="length", remove_unused_columns=False,
        train_sampling_strategy="group_by_length" if task["grouped_by_length"] else "sequential",
    ),
    callbacks=[Told()],
)  # fmt: skip
trainer.train()
