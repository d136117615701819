"""accord.json: what stands beside released weights, so that nobody has to guess what they are or how to ask them."""

import functools
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

from training.rlhf.contract.config import RunConfig
from training.rlhf.contract.run_folder import RunFolder, file_sha256
from training.rlhf.contract.settings import WATCH
from training.rlhf.inputs import Inputs

ACCORD_FILE = "accord.json"
GIT_SECONDS = 10


@dataclass(frozen=True, kw_only=True)
class ModelFacts:
    """What only the stage knows of its model."""

    kind: Literal["base", "sft", "reward", "policy"]
    stop_token_ids: tuple[int, ...]
    ema: bool = False
    score_bias: Mapping[str, float] = field(default_factory=dict)
    """reward: condition ("" for none) -> what was added to raw scores; the scores a caller sees have it in them."""


def accord_facts(
    folder: RunFolder, config: RunConfig, inputs: Inputs, facts: ModelFacts, *, step: int
) -> dict[str, Any]:
    """The content of accord.json for a model of this run at this step."""
    return {
        "format": 1,
        "kind": facts.kind,
        "parents": [
            {"role": role, "sha256": model.sha256}
            for role, model in inputs.models.items()
            if not role.startswith(WATCH)
        ],
        "config_sha256": file_sha256(folder.config),
        "data": [{"name": name, "sha256": file.sha256} for name, file in inputs.data.items()],
        "code": code_version(),
        "stop_token_ids": list(facts.stop_token_ids),
        "prompt_format": config.tokens.prompt_format,
        "conditioning": {
            "conditions": dict(config.conditioning.conditions),
            "placement": config.conditioning.placement,
        },
        "score_bias": dict(facts.score_bias),
        "adapter": None,
        "step": step,
        "ema": facts.ema,
    }


@functools.cache
def code_version() -> dict[str, Any]:
    """The commit this code is from (null outside a checkout) and the versions of what it stands on."""
    return {**_git_state(), "torch": version("torch"), "transformers": version("transformers")}


def _git_state() -> dict[str, Any]:
    here = Path(__file__).parent
    try:
        commit = _git(here, "rev-parse", "HEAD")
        return {"git": commit, "dirty": bool(_git(here, "status", "--porcelain", "--", "."))}
    except (OSError, subprocess.SubprocessError):
        return {"git": None, "dirty": None}


def _git(where: Path, *arguments: str) -> str:
    answer = subprocess.run(
        ["git", *arguments], cwd=where, capture_output=True, text=True, timeout=GIT_SECONDS, check=True
    )
    return answer.stdout.strip()
