"""Exports are loaded by what is there to load them, without a line of ours: make trial PART=clients.

The readers live in an environment of their own, made here where it is missing: bench/peers/clients, from
bench/peers/clients.txt. ACCORD_TRIAL_DATA names the folder of trial data.
"""

import json
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from labeling.foreign.sources import SOURCES, lines_of
from labeling.importing import ImportReport, import_lines
from labeling.models import Project, ProjectToken, Role
from tests.conftest import make_member
from tests.labeling_data.test_adapters import DATA

pytestmark = pytest.mark.django_db(transaction=True)

ROOT = Path(__file__).resolve().parent.parent.parent
PEERS = ROOT / "bench" / "peers"
FILES = {
    "table.jsonl": "comparisons?layout=table",
    "table.jsonl.gz": "comparisons?layout=table&format=jsonl.gz",
    "table.jsonl.zst": "comparisons?layout=table&format=jsonl.zst",
    "table.parquet": "comparisons?layout=table&format=parquet",
    "table.csv": "comparisons?layout=table&format=csv",
    "rankings.jsonl": "rankings?layout=table",
    "rankings.parquet": "rankings?format=parquet",
    "demonstrations.parquet": "demonstrations?format=parquet",
    "prompts.parquet": "prompts?format=parquet",
    "messages.jsonl": "demonstrations?layout=messages",
    "sharegpt.jsonl": "demonstrations?layout=sharegpt",
    "prompt_only.jsonl": "prompts?layout=prompt_only",
    "prompt_completion.parquet": "demonstrations?layout=prompt_completion&format=parquet",
    "preference.jsonl": "comparisons?layout=preference",
    "preference.parquet": "comparisons?layout=preference&format=parquet",
    "margin.jsonl": "comparisons?layout=preference&margin=ranks",
    "unpaired.jsonl.zst": "comparisons?layout=unpaired&format=jsonl.zst",
}
TRAINERS = ("SFTTrainer messages", "SFTTrainer prompt_completion", "RewardTrainer preference", "DPOTrainer preference")


def python_of_peers() -> Path:
    python = PEERS / "clients" / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(PEERS / "clients")], check=True)
        install = [str(python), "-m", "pip", "install", "--quiet", "-r", str(PEERS / "clients.txt")]
        subprocess.run(install, check=True)
    return python


def test_every_export_is_loaded_by_its_readers_and_trained_on(
    live_server: Any, project: Project, tmp_path: Path
) -> None:
    path = DATA / "oasst_trees.jsonl.gz"
    import_lines(project, lines_of(path, SOURCES["oasst"], {}), ImportReport(path), name="oasst")
    token = ProjectToken.make(user=make_member(project, "enno", Role.ENGINEER), project=project)
    for name, address in FILES.items():
        request = urllib.request.Request(
            f"{live_server.url}/api/v1/projects/{project.slug}/records/{address}",
            headers={"Authorization": f"Token {token}"},
        )
        with urllib.request.urlopen(request) as answer:
            (tmp_path / name).write_bytes(answer.read())
    script = Path(__file__).with_name("load_exports.py")
    done = subprocess.run(
        [str(python_of_peers()), str(script), str(tmp_path)],
        capture_output=True, text=True, env={"HOME": str(tmp_path), "HF_HUB_OFFLINE": "1", "PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-6000:]
    said = json.loads(next(line for line in done.stdout.splitlines() if line.startswith("SAID "))[5:])
    print(json.dumps(said, indent=1))
    pairs = said["table.jsonl"]["rows"]
    assert {said[f"table.{ending}"]["rows"] for ending in ("jsonl.gz", "jsonl.zst", "parquet", "csv")} == {pairs}
    assert said["pandas table.parquet"] == said["polars table.parquet"] == {"rows": pairs}
    assert said["rankings.jsonl"]["rows"] == said["rankings.parquet"]["rows"] == 175
    assert said["messages.jsonl"]["rows"] == said["prompt_completion.parquet"]["rows"] == 205
    assert said["unpaired.jsonl.zst"]["rows"] == 2 * said["preference.parquet"]["rows"]
    for name in TRAINERS:
        assert said[name]["steps"] == 5
        assert all(loss == loss and loss > 0 for loss in said[name]["losses"])
