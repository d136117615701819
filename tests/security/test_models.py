"""Folders of models that somebody else packed: nothing in them is run, and only the recorded one is used."""

import json
import os
import pickle
import shutil
from pathlib import Path
from typing import Any

import pytest
from kombu import Queue
from pytest_django.fixtures import Settings

from config.celery import app
from labeling.models import Project, ProjectToken, Role, User
from labeling.scopes import scopes_for
from tests.rlhf.tiny_runs import finish, save_tiny_model, sft_run
from tests.security.served import Attacker, Served
from training.models import Job, Round
from training.rlhf import sft
from training.rlhf.contract.exit_codes import ExitCode

pytestmark = pytest.mark.threat(9)
API = "/api/v1/projects/helpdesk/"
CODE = 'from pathlib import Path\nPath("{ran}").touch()\nclass Evil: pass\n'
AUTO_MAP = {"AutoConfig": "evil.EvilConfig", "AutoModel": "evil.Evil", "AutoModelForCausalLM": "evil.Evil",
            "AutoTokenizer": ["evil.Evil", "evil.Evil"]}  # fmt: skip


class Touches:
    """Unpickled, it makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, tuple[str, str]]:
        return (open, (str(self.path), "w"))


@pytest.fixture
def ran(tmp_path: Path) -> Path:
    return tmp_path / "ran"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return save_tiny_model(tmp_path / "made")


def change(file: Path, **members: Any) -> None:
    file.write_text(json.dumps(json.loads(file.read_text()) | members))


def carries_code(model: Path, ran: Path) -> None:
    """Everything that transformers would run of a folder if it were told to trust it."""
    (model / "evil.py").write_text(CODE.format(ran=ran))
    for name in ("config.json", "tokenizer_config.json"):
        change(model / name, auto_map=AUTO_MAP, trust_remote_code=True)


def is_of_an_unknown_kind(model: Path, ran: Path) -> None:
    """So that nothing but the folder's own code could load it."""
    carries_code(model, ran)
    change(model / "config.json", model_type="evil", architectures=["Evil"])


def is_a_pickle(model: Path, ran: Path) -> None:
    (model / "model.safetensors").unlink()
    for name in ("pytorch_model.bin", "model.bin", "consolidated.00.pth"):
        (model / name).write_bytes(pickle.dumps(Touches(ran)))


def is_a_pickle_by_another_name(model: Path, ran: Path) -> None:
    (model / "model.safetensors").write_bytes(pickle.dumps(Touches(ran)))


def has_a_pickle_besides(model: Path, ran: Path) -> None:
    (model / "pytorch_model.bin").write_bytes(pickle.dumps(Touches(ran)))
    (model / "training_args.bin").write_bytes(pickle.dumps(Touches(ran)))


@pytest.mark.parametrize(
    ("pack", "code"),
    [
        (carries_code, ExitCode.DONE),
        (has_a_pickle_besides, ExitCode.DONE),
        (is_of_an_unknown_kind, ExitCode.INPUT_MISSING),
        (is_a_pickle, ExitCode.INPUT_MISSING),
        (is_a_pickle_by_another_name, ExitCode.INPUT_MISSING),
    ],
)
def test_a_stage_runs_no_code_that_comes_with_a_model(
    model: Path, ran: Path, tmp_path: Path, pack: Any, code: ExitCode
) -> None:
    pack(model, ran)
    folder = sft_run(tmp_path / "run", model, rows=4, held_out=2, sft={"epochs": 1, "sequences_per_step": 4})
    assert finish(folder, "sft", sft.train) == code
    assert not ran.exists()


def test_a_chat_template_that_reaches_for_python_is_refused(model: Path, ran: Path, tmp_path: Path) -> None:
    reaching = "{{ ''.__class__.__mro__[1].__subclasses__() }}{{ cycler.__init__.__globals__.os.system('touch " + str(
        ran
    )
    (model / "chat_template.jinja").write_text(f"{reaching}') }}}}{{{{ messages[0]['content'] }}}}")
    folder = sft_run(tmp_path / "run", model, rows=4, held_out=2, sft={"epochs": 1, "sequences_per_step": 4})
    assert finish(folder, "sft", sft.train) == ExitCode.CONFIG_REFUSED
    assert "chat template cannot be used" in folder.status.read_text()
    assert not ran.exists()


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "tokenizer.json"])
def test_a_model_that_was_changed_since_it_was_recorded_is_refused(model: Path, tmp_path: Path, name: str) -> None:
    folder = sft_run(tmp_path / "run", model, rows=4, held_out=2, sft={"epochs": 1, "sequences_per_step": 4})
    content = bytearray((model / name).read_bytes())
    content[-3] ^= 1
    (model / name).write_bytes(bytes(content))
    assert finish(folder, "sft", sft.train) == ExitCode.INPUT_MISSING
    assert "is not the recorded model" in folder.status.read_text()


@pytest.mark.postgres
@pytest.mark.redis
def test_a_folder_of_pickles_is_no_base_model(
    served: Served, project: Project, owner: User, ran: Path, model: Path
) -> None:
    api = served.with_token(ProjectToken.make(user=owner, project=project, scopes=scopes_for(Role.OWNER)))
    is_a_pickle(model, ran)
    offered = Path(served.environment["ACCORD_MODELS_DIR"]) / "evil"
    shutil.copytree(model, offered)
    try:
        answer = api.send("POST", f"{API}rounds", {"base": "evil"})
    finally:
        shutil.rmtree(offered)
    assert answer.status == 422
    assert "no weights (*.safetensors)" in answer.json()["error"]["message"]
    assert not Round.objects.exists()
    assert not ran.exists()


@pytest.mark.postgres
@pytest.mark.redis
@pytest.mark.parametrize("section", ["models", "hardware", "sft", "run", "__class__", "tokens"])
def test_no_knob_of_a_launch_names_code_or_another_model(
    served: Served, project: Project, owner: User, section: str
) -> None:
    api: Attacker = served.with_token(ProjectToken.make(user=owner, project=project, scopes=scopes_for(Role.OWNER)))
    api.send("POST", f"{API}rounds", {})
    forged = {
        "init": "hub:evil/model",
        "trust_remote_code": True,
        "command": "touch /tmp/x",
        "attn_implementation": "x",
    }
    for key, value in forged.items():
        answer = api.send("POST", f"{API}rounds/1/stages/sft/launch", {"overrides": {section: {key: value}}})
        assert answer.status in (400, 404, 409, 422), answer.text
    assert not Job.objects.exists()


@pytest.mark.redis
def test_a_message_that_is_pickled_is_not_unpickled(ran: Path, settings: Settings) -> None:
    """Put into the queue by somebody who reached Redis, and read as a worker reads."""
    queue = Queue("evil-messages", routing_key="evil-messages")
    with app.connection_for_write(os.environ["REDIS_URL"]) as connection:
        channel = connection.channel()
        message = channel.prepare_message(
            pickle.dumps(Touches(ran)), content_type="application/x-python-serialize", content_encoding="binary",
            headers={"task": "training.tasks.run_job", "id": "x"},
        )  # fmt: skip
        bound = queue(channel)
        bound.declare()
        bound.purge()
        channel.basic_publish(message, exchange="", routing_key="evil-messages")
        consumer = app.amqp.TaskConsumer(channel, queues=[bound], accept=None)
        got: list[Any] = []
        consumer.on_decode_error = lambda received, error: got.append(type(error).__name__)
        consumer.register_callback(lambda body, received: got.append(body))
        with consumer:
            connection.drain_events(timeout=10)
        bound.delete()
    assert got == ["ContentDisallowed"]
    assert not ran.exists()
