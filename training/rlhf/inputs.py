"""The models and data files that a config names: found, and checked against the hashes in their manifests.

A job learns from frozen inputs or not at all: a file that is missing or is not the recorded one ends it (exit 66).
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from huggingface_hub import snapshot_download
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

from training.rlhf.contract.config import RunConfig
from training.rlhf.contract.exit_codes import DataRefused, InputMissing
from training.rlhf.contract.records import KINDS, Kind, Row, read_rows
from training.rlhf.contract.run_folder import (
    DataFile,
    RunFolder,
    file_sha256,
    model_identity,
    read_data_manifest,
    read_models_manifest,
)
from training.rlhf.contract.settings import HUB
from training.rlhf.contract.strict import Refused

MODEL_FILES = ["*.json", "*.safetensors", "*.jinja", "*.txt", "*.model"]
"""What is fetched of a hub model: no pickles and no code."""


@dataclass(frozen=True)
class ModelInput:
    """A model in use."""

    folder: Path
    sha256: str


@dataclass(frozen=True)
class Inputs:
    """Everything a stage was given, checked."""

    folder: RunFolder
    models: dict[str, ModelInput]
    """By role: "init", "watch.0", "generators.sft"."""
    data: dict[str, DataFile]
    """By name."""

    def rows(self, names: Iterable[str], *kinds: Kind) -> Iterator[Row]:
        """The rows of several data files, one after the other; files of other kinds than these are refused."""
        for name in names:
            kind = self.data[name].kind
            if kind not in kinds:
                expected = " or ".join(kinds)
                raise DataRefused(f"data/{name}.jsonl holds rows of kind {kind}; expected {expected}")
            yield from read_rows(self.folder.data(name), KINDS[kind])


R = TypeVar("R", bound=Row)


def only(row_type: type[R], rows: Iterable[Row]) -> list[R]:
    """The rows as a list of the one type that their kind implies."""
    found = list(rows)
    assert all(isinstance(row, row_type) for row in found)
    return found  # type: ignore[return-value]


def check_inputs(folder: RunFolder, config: RunConfig) -> Inputs:
    """Raises InputMissing for whatever is not there or is not what it was."""
    return Inputs(folder=folder, models=_check_models(folder, config), data=_check_data(folder, config))


def _check_data(folder: RunFolder, config: RunConfig) -> dict[str, DataFile]:
    try:
        listed = {file.name: file for file in read_data_manifest(folder)}
        for name in config.data.named():
            if name not in listed:
                raise InputMissing(f"data/manifest.json does not list {name}; it has: {', '.join(listed) or 'nothing'}")
            if file_sha256(folder.data(name)) != listed[name].sha256:
                raise InputMissing(f"data/{name}.jsonl is not the recorded file: its sha256 differs from the manifest")
    except FileNotFoundError as error:
        raise InputMissing(f"{error.filename} is not there") from error
    except Refused as refused:
        raise InputMissing(str(refused)) from refused
    return {name: listed[name] for name in config.data.named()}


def _check_models(folder: RunFolder, config: RunConfig) -> dict[str, ModelInput]:
    named = config.models.named()
    local = [name for name in named.values() if not name.startswith(HUB)]
    recorded = _recorded_identities(folder) if local else {}
    found: dict[str, ModelInput] = {}
    for role, name in named.items():
        path = hub_folder(name) if name.startswith(HUB) else folder.model_input(name)
        sha256 = _identity(path, name)
        if name in local and sha256 != recorded.get(name, ""):
            told = "is not the recorded model: its files differ from" if name in recorded else "is not listed in"
            raise InputMissing(f"{name} {told} models/manifest.json")
        found[role] = ModelInput(path, sha256)
    return found


def _recorded_identities(folder: RunFolder) -> dict[str, str]:
    try:
        return {entry.path: entry.sha256 for entry in read_models_manifest(folder)}
    except FileNotFoundError as error:
        raise InputMissing(f"{error.filename} is not there") from error
    except Refused as refused:
        raise InputMissing(str(refused)) from refused


def _identity(path: Path, name: str) -> str:
    try:
        return model_identity(path)
    except FileNotFoundError as error:
        raise InputMissing(f"{name} is not a folder with a model in it: {error}") from error


def hub_folder(name: str) -> Path:
    """The local folder of a hub model ("hub:owner/name@revision"), fetched where the network allows.

    Raises InputMissing if it is neither in the cache nor to be had.
    """
    repository, _, revision = name.removeprefix(HUB).partition("@")
    try:
        return Path(snapshot_download(repository, revision=revision or None, allow_patterns=MODEL_FILES))
    except (LocalEntryNotFoundError, HfHubHTTPError, HFValidationError, OSError) as error:
        raise InputMissing(
            f"{repository} is no model that can be had: it is not in the local cache, and the hub did not give it "
            f"({type(error).__name__}). Check the name, or put the model's folder into the run folder"
        ) from error
