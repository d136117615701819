"""TRL's SFTTrainer on the token ids of a task: python bench/peers/trl_sft.py TASK.json (bench/training.py runs it)."""

import json
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from datasets import Dataset
from transformers import AutoModelForCausalLM, AutoTokenizer, TrainerCallback
from trl import SFTConfig, SFTTrainer

from bench.peers.turns import Turns

task: dict[str, Any] = json.loads(Path(sys.argv[1]).read_text())
turns = Turns(warm_steps=task["warm_steps"], steps=task["steps"])
seen = {"tokens": 0}


class Counting(SFTTrainer):
    def compute_loss(self, model: Any, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        mask = inputs.get("attention_mask")
        seen["tokens"] += inputs["input_ids"].numel() if mask is None else int(mask.sum())
        return super().compute_loss(model, inputs, *args, **kwargs)


class Told(TrainerCallback):
    """The log of a step comes after its end: a step is told when its loss is."""

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **kwargs: Any) -> None:
        if "loss" not in (logs or {}):
            return
        if state.global_step == 1:
            turns.facts["first_loss"] = float(logs["loss"])
        turns.after_step(seen["tokens"])
        seen["tokens"] = 0


rows = [
    {"input_ids": row["prompt"] + row["response"], "labels": [-100] * len(row["prompt"]) + row["response"]}
    for row in task["rows"]
]
packing = {} if task["packing"] is None else {"packing": True, "packing_strategy": task["packing"]}
trainer = Counting(
    model=AutoModelForCausalLM.from_pretrained(task["model"], dtype="float32", attn_implementation="sdpa"),
    processing_class=AutoTokenizer.from_pretrained(task["model"]),
    train_dataset=Dataset.from_list(rows),
    args=SFTConfig(
        output_dir=task["output"], per_device_train_batch_size=task["batch_rows"],
        gradient_accumulation_steps=task["accumulate"], max_steps=1_000_000, logging_steps=1, save_strategy="no",
        report_to="none", use_cpu=True, bf16=False, gradient_checkpointing=False, disable_tqdm=True,
        max_length=task["row_tokens"], learning_rate=task["learning_rate"], lr_scheduler_type="constant",
        adam_beta1=0.9, adam_beta2=0.95, adam_epsilon=1e-5, train_sampling_strategy="sequential",
        logging_nan_inf_filter=False, **packing,
    ),
    callbacks=[Told()],
)  # fmt: skip
trainer.train()
