"""TRL 1.12's PPOTrainer on the prompts of a task: python bench/peers/trl_ppo.py TASK.json (bench/training.py runs it).

Minibatches are cut of one batch on the device: with gradient accumulation this trainer would take one optimizer step
for all of them.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from datasets import Dataset
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification, AutoTokenizer, TrainerCallback
from trl.experimental.ppo import PPOConfig, PPOTrainer, ppo_trainer

from bench.peers.turns import Turns

task: dict[str, Any] = json.loads(Path(sys.argv[1]).read_text())
turns = Turns(warm_steps=task["warm_steps"], steps=task["steps"])
at = {"generated": 0.0, "scored": 0.0}
phases: dict[str, float] = {}


def timed_generation(*args: Any, **kwargs: Any) -> Any:
    started = time.perf_counter()
    found = whole_generation(*args, **kwargs)
    at["generated"] = time.perf_counter()
    phases["generate"] = at["generated"] - started
    return found


def timed_whitening(*args: Any, **kwargs: Any) -> Any:
    """The advantages are whitened last, before the first step."""
    found = whole_whitening(*args, **kwargs)
    at["scored"] = time.perf_counter()
    phases["score"] = at["scored"] - at["generated"]
    return found


whole_generation, ppo_trainer.batch_generation = ppo_trainer.batch_generation, timed_generation
whole_whitening, ppo_trainer.masked_whiten = ppo_trainer.masked_whiten, timed_whitening


class Told(TrainerCallback):
    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        turns.after_step(task["episodes"], {**phases, "update": time.perf_counter() - at["scored"]})


def language_model() -> Any:
    return AutoModelForCausalLM.from_pretrained(task["model"], dtype="float32", attn_implementation="sdpa")


def scorer() -> Any:
    return AutoModelForSequenceClassification.from_pretrained(
        task["reward"], dtype="float32", attn_implementation="sdpa", num_labels=1
    )


tokenizer = AutoTokenizer.from_pretrained(task["model"], padding_side="left")
tokenizer.eos_token = task["stop_token"]
prompts = [ids for ids in task["prompts"] for _ in range(task["responses_per_prompt"])]
trainer = PPOTrainer(
    args=PPOConfig(
        output_dir=task["output"], per_device_train_batch_size=task["episodes"], gradient_accumulation_steps=1,
        num_mini_batches=task["minibatches"], num_ppo_epochs=task["epochs"], total_episodes=10_000_000,
        local_rollout_forward_batch_size=task["episodes"], response_length=task["response_tokens"], temperature=1.0,
        stop_token="eos" if task["ends"] else None, missing_eos_penalty=1.0 if task["ends"] else None,
        num_sample_generations=0, learning_rate=task["learning_rate"], kl_coef=0.02, report_to="none", use_cpu=True,
        bf16=False, gradient_checkpointing=False, save_strategy="no", disable_tqdm=True, vf_coef=1.0,
        logging_steps=1, lr_scheduler_type="constant",
    ),
    processing_class=tokenizer, model=language_model(), ref_model=language_model(), reward_model=scorer(),
    value_model=scorer(), train_dataset=Dataset.from_list([{"input_ids": ids} for ids in prompts]),
    eval_dataset=Dataset.from_list([{"input_ids": ids} for ids in prompts[:8]]), callbacks=[Told()],
)  # fmt: skip
trainer.train()
