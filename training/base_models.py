"""What a round may start from: a checkpoint of the project, a folder below ACCORD_MODELS_DIR, or a hub name.

Folders elsewhere are refused, so that nobody learns from a page what lies on the server's disk.
"""

from pathlib import Path
from typing import Any

from django.conf import settings

from labeling.models import Project
from training.errors import LaunchRefused, RoundRefused
from training.models import Checkpoint
from training.rlhf.contract.settings import HUB, Conditioning, is_inside_the_run_folder, is_model_name
from training.rlhf.contract.strict import Refused, parse_json, shown

WEIGHTS = "*.safetensors"
NAME_CHARACTERS = 120


def folder_of(checkpoint: Checkpoint) -> Path | None:
    """Where the weights lie; None for a hub name. A relative uri is below the runs directory."""
    return None if checkpoint.uri.startswith(HUB) else Path(settings.RUNS_DIR) / checkpoint.uri


def folders_on_offer() -> list[str]:
    """Names of the folders with a model, directly below ACCORD_MODELS_DIR."""
    root = Path(settings.MODELS_DIR)
    return sorted(path.parent.name for path in root.glob("*/config.json")) if root.is_dir() else []


def base_model(project: Project, name: str) -> Checkpoint:
    """The checkpoint that a name stands for: one of the project, "hub:owner/name", or a folder; registered if new.

    Raises RoundRefused for what is none of these.
    """
    name = name.strip()
    if not name.isprintable() or len(name) > NAME_CHARACTERS:
        raise RoundRefused(
            f"The base model is {shown(name)}; expected printable characters, {NAME_CHARACTERS} at most."
        )
    known = Checkpoint.objects.filter(project=project, name=name).exclude(kind=Checkpoint.Kind.REWARD).first()
    if known is not None:
        return known
    if name.startswith(HUB):
        if not is_model_name(name):
            raise RoundRefused(f'The base model is {name!r}; a hub name looks like "hub:owner/name".')
        uri = name
    else:
        uri = str(_folder_named(name))
    return Checkpoint.objects.create(project=project, kind=Checkpoint.Kind.BASE, name=name, uri=uri)


def _folder_named(name: str) -> Path:
    folder = Path(settings.MODELS_DIR) / name
    if not name or not is_inside_the_run_folder(name) or not folder.is_dir():
        offered = ", ".join(folders_on_offer()) or "none"
        raise RoundRefused(
            f"There is no base model {name!r}. Expected a checkpoint of this project, a hub name such as "
            f'"hub:owner/name", or a folder below {settings.MODELS_DIR} (there: {offered}).'
        )
    problem = _unreadable(folder)
    if problem:
        raise RoundRefused(f"The base model {name!r} cannot be used: {problem}.")
    return folder


def told_by_its_folder(checkpoint: Checkpoint) -> dict[str, str]:
    """Conditions by key, with their texts, as accord.json beside the weights has them; empty where it has none, is
    not there or cannot be used: nobody is told what cannot stand in a run folder."""
    folder = folder_of(checkpoint)
    if folder is None:
        return {}
    try:
        said = parse_json((folder / "accord.json").read_bytes())
        return dict(Conditioning.from_json(_conditions_in(said)).conditions)
    except (OSError, Refused):
        return {}


def _conditions_in(said: Any) -> dict[str, Any]:
    section = said.get("conditioning") if isinstance(said, dict) else None
    found = section.get("conditions") if isinstance(section, dict) else None
    return {"mode": "message", "conditions": found} if found else {}


def check_readable(checkpoint: Checkpoint, *, role: str) -> None:
    """Raises LaunchRefused where the weights of a checkpoint are gone. A hub name is looked up by the worker."""
    folder = folder_of(checkpoint)
    problem = _unreadable(folder) if folder is not None else None
    if checkpoint.removed_at is not None:
        problem = f"its weights were deleted on {checkpoint.removed_at:%d %B %Y}"
    if problem:
        raise LaunchRefused(
            f"The checkpoint {checkpoint.name!r}, wanted as {role}, cannot be used: {problem}. "
            f"Put it back, or train it again."
        )


def _unreadable(folder: Path) -> str | None:
    """What keeps a folder from being a model, or None."""
    if not folder.is_dir():
        return f"{folder} is not there"
    if not (folder / "config.json").is_file():
        return f"{folder} has no config.json"
    if not any(folder.glob(WEIGHTS)):
        return f"{folder} has no weights ({WEIGHTS})"
    return None
