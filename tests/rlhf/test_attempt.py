"""One attempt at a stage: what it checks, what it tells, how it pauses, gives way and ends."""

import errno
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from training.rlhf import attempt as attempt_module
from training.rlhf import checkpoints, progress
from training.rlhf.contract.exit_codes import DataRefused, ExitCode, NotFinite, StoppedEarly
from training.rlhf.contract.records import Text
from training.rlhf.contract.run_folder import (
    Control,
    ModelEntry,
    RunFolder,
    model_identity,
    read_error,
    read_status,
    write_control,
    write_data_file,
    write_data_manifest,
    write_models_manifest,
)
from training.rlhf.run import Run

from .tiny_runs import ROOT, TEXTS, finish, lines, make_run

CONFIG: dict[str, Any] = {
    "stage": "pretrain", "data": {"train": ["text"]}, "pretrain": {"steps": 4},
    "hardware": {"threads": 1, "device": "cpu"}, "checkpoints": {"every_steps": 2},
}  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    return make_run(tmp_path / "run", CONFIG, data={"text": ("text", TEXTS[:3])})


def counting(run: Run, *, at: Callable[[int], object] = lambda step: None, steps: int = 4) -> None:
    """A stage that learns nothing: it logs, saves and releases."""
    found = run.resume()
    run.plan(steps)
    run.phase("train")

    def save(target: Path) -> None:
        (target / "model").mkdir()
        (target / "model" / "weights").write_text(str(run.progress.status.step))
        checkpoints.save_trainer(target, {})

    for step in range((found.step if found else 0) + 1, steps + 1):
        at(step)
        run.poll()
        run.log(step, {"loss": 1 / step})
        run.end_step(step, save)
    run.release(steps, {"stage": "counting"})


def attempt(folder: RunFolder, at: Callable[[int], object] = lambda step: None, **more: Any) -> ExitCode:
    return finish(folder, "pretrain", lambda run: counting(run, at=at, **more))


def ending(folder: RunFolder, error: BaseException) -> ExitCode:
    def work(run: Run) -> None:
        raise error

    return finish(folder, "pretrain", work)


# the ordinary course


def test_a_run_that_is_done_leaves_model_report_metrics_and_status(folder: RunFolder) -> None:
    assert attempt(folder) == ExitCode.DONE
    status = read_status(folder)
    assert status is not None
    assert (status.state, status.step, status.steps, status.checkpoint_step) == ("done", 4, 4, 4)
    assert (folder.model / "weights").read_text() == "4"
    assert json.loads(folder.report.read_text())["model"]["step"] == 4
    assert [line["step"] for line in lines(folder.metrics)] == [1, 2, 3, 4]
    assert [event["kind"] for event in lines(folder.events)] == ["start", "checkpoint", "checkpoint"]


def test_run_by_hand_it_counts_its_attempts(folder: RunFolder) -> None:
    attempt(folder)
    attempt(folder)
    status = read_status(folder)
    assert status is not None
    assert status.attempt == 2


def test_it_takes_its_attempt_from_the_control_file(folder: RunFolder) -> None:
    write_control(folder, Control(attempt=7))
    attempt(folder)
    assert {line["attempt"] for line in lines(folder.metrics)} == {7}


def test_the_heart_beats_while_a_step_takes_long(folder: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "BEAT_SECONDS", 0.02)
    seen: set[float] = set()

    def slow(step: int) -> None:
        for _ in range(10):
            seen.add(folder.status.stat().st_mtime_ns)
            time.sleep(0.03)

    attempt(folder, slow, steps=1)
    assert len(seen) > 3


def test_metrics_are_written_as_often_as_asked_and_at_the_last_step(tmp_path: Path) -> None:
    config = CONFIG | {"logging": {"every_steps": 3}}
    folder = make_run(tmp_path, config, data={"text": ("text", TEXTS[:1])})
    attempt(folder, steps=7)
    assert [line["step"] for line in lines(folder.metrics)] == [3, 6, 7]


def test_a_number_that_is_not_finite_becomes_null_and_an_event(folder: RunFolder) -> None:
    def work(run: Run) -> None:
        run.log(1, {"loss": float("nan"), "gradient_norm": 1.0})

    assert finish(folder, "pretrain", work) == ExitCode.DONE
    assert lines(folder.metrics)[0]["loss"] is None
    assert lines(folder.events)[0] | {"kind": "not_finite", "step": 1, "keys": ["loss"]} == lines(folder.events)[0]


def test_a_metric_that_nobody_described_is_a_bug(folder: RunFolder) -> None:
    assert finish(folder, "pretrain", lambda run: run.log(1, {"los": 1.0})) == ExitCode.BUG
    error = read_error(folder, 1)
    assert error is not None
    assert "metric 'los' is not listed" in error.message


# what it is given


def test_it_refuses_a_data_file_that_is_not_the_recorded_one(folder: RunFolder) -> None:
    with folder.data("text").open("a") as file:
        file.write('{"id":"zz","text":"slipped in"}\n')
    assert attempt(folder) == ExitCode.INPUT_MISSING
    error = read_error(folder, 1)
    assert error is not None
    assert error.message == "data/text.jsonl is not the recorded file: its sha256 differs from the manifest"
    assert not folder.metrics.exists()


def test_it_refuses_a_data_file_that_the_manifest_does_not_list(tmp_path: Path) -> None:
    folder = make_run(tmp_path, CONFIG, data={"other": ("text", TEXTS[:1])})
    assert attempt(folder) == ExitCode.INPUT_MISSING
    assert "does not list text; it has: other" in str(read_error(folder, 1))


@pytest.mark.parametrize("missing", ["data/text.jsonl", "data/manifest.json"])
def test_it_refuses_a_file_that_is_not_there(folder: RunFolder, missing: str) -> None:
    (folder.root / missing).unlink()
    assert attempt(folder) == ExitCode.INPUT_MISSING


def test_it_refuses_rows_of_another_kind(folder: RunFolder) -> None:
    def work(run: Run) -> None:
        list(run.inputs.rows(["text"], "demonstration"))

    assert finish(folder, "pretrain", work) == ExitCode.DATA_REFUSED
    assert "data/text.jsonl holds rows of kind text; expected demonstration" in str(read_error(folder, 1))


@pytest.mark.rule(28)
def test_a_resumed_run_refuses_other_data_even_with_their_manifest(folder: RunFolder) -> None:
    def pull_the_plug(step: int) -> None:
        if step == 3:
            raise KeyError("pulled the plug")

    assert attempt(folder, pull_the_plug) == ExitCode.BUG
    before = folder.data("text").read_bytes(), folder.data_manifest.read_bytes()
    write_data_manifest(folder, [write_data_file(folder, "text", "text", TEXTS[:2])])
    assert attempt(folder) == ExitCode.INPUT_MISSING
    error = read_error(folder, 2)
    assert error is not None
    assert error.message.startswith("data/text.jsonl was changed since the run began")
    folder.data("text").write_bytes(before[0])
    folder.data_manifest.write_bytes(before[1])
    assert attempt(folder) == ExitCode.DONE


def test_a_resumed_run_refuses_another_model_even_with_its_manifest(tmp_path: Path) -> None:
    model = tmp_path / "model"
    model.mkdir()
    (model / "weights").write_text("one")
    folder = sft_folder(tmp_path, model)
    assert finish(folder, "sft", counting) == ExitCode.DONE
    (model / "weights").write_text("two")
    write_models_manifest(folder, [ModelEntry(path="models/base", sha256=model_identity(model))])
    assert finish(folder, "sft", counting) == ExitCode.INPUT_MISSING
    assert "the model of role init was changed since the run began" in str(read_error(folder, 2))


def sft_folder(tmp_path: Path, model: Path, **changes: Any) -> RunFolder:
    config = {"stage": "sft", "sft": {}, "models": {"init": "models/base"}, "data": {"train": ["text"]}, **changes}
    return make_run(tmp_path / "run", config, data={"text": ("text", TEXTS[:1])}, models={"models/base": model})


@pytest.mark.threat(9)
def test_it_refuses_a_model_that_is_not_the_recorded_one(tmp_path: Path) -> None:
    model = tmp_path / "model"
    model.mkdir()
    (model / "weights").write_text("one")
    folder = sft_folder(tmp_path, model)
    (model / "weights").write_text("two")
    assert finish(folder, "sft", counting) == ExitCode.INPUT_MISSING
    assert "models/base is not the recorded model" in str(read_error(folder, 1))


def test_it_refuses_a_model_that_does_not_exist(tmp_path: Path) -> None:
    model = tmp_path / "model"
    model.mkdir()
    (model / "weights").write_text("one")
    folder = sft_folder(tmp_path, model)
    (folder.root / "models/base").unlink()
    assert finish(folder, "sft", counting) == ExitCode.INPUT_MISSING
    assert "models/base is not a folder with a model in it" in str(read_error(folder, 1))


def test_a_hub_model_that_cannot_be_had_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub.errors import LocalEntryNotFoundError

    from training.rlhf import inputs

    def unreachable(*arguments: Any, **more: Any) -> str:
        raise LocalEntryNotFoundError("no network")

    monkeypatch.setattr(inputs, "snapshot_download", unreachable)
    config = {"stage": "sft", "sft": {}, "models": {"init": "hub:nobody/nothing"}, "data": {"train": ["text"]}}
    folder = make_run(tmp_path, config, data={"text": ("text", TEXTS[:1])})
    assert finish(folder, "sft", counting) == ExitCode.INPUT_MISSING
    assert "nobody/nothing is no model that can be had: it is not in the local cache" in str(read_error(folder, 1))


# config and command line


def test_a_refused_config_writes_only_lock_and_status(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = make_run(tmp_path, CONFIG | {"optimizer": {"learning_rate": -1e-5}}, data={"text": ("text", TEXTS[:1])})
    before = {path for path in folder.root.rglob("*") if path.is_file()}
    assert attempt(folder) == ExitCode.CONFIG_REFUSED
    assert {path for path in folder.root.rglob("*") if path.is_file()} - before == {folder.lock, folder.status}
    told = "optimizer.learning_rate is -1e-05; expected a number above 0"
    assert capsys.readouterr().err == told + "\n"
    status = read_status(folder)
    assert status is not None
    assert status.error is not None
    assert (status.state, status.error.code, status.error.message) == ("failed", "config_refused", told)


def test_a_config_that_was_changed_after_the_start_is_refused(folder: RunFolder) -> None:
    attempt(folder)
    folder.config.write_text(folder.config.read_text().replace('"seed": 7', '"seed": 8'))
    assert attempt(folder) == ExitCode.CONFIG_REFUSED
    assert [line["step"] for line in lines(folder.metrics)] == [1, 2, 3, 4]


def test_the_config_of_another_stage_is_refused(folder: RunFolder) -> None:
    assert finish(folder, "sft", counting) == ExitCode.CONFIG_REFUSED
    status = read_status(folder)
    assert status is not None
    assert 'stage is "pretrain", but this is training.rlhf.sft' in str(status.error)


def test_several_processes_are_refused(folder: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert attempt(folder) == ExitCode.CONFIG_REFUSED


@pytest.mark.parametrize("arguments", [[], ["/no/such/folder"], ["a", "b"]])
def test_a_wrong_command_line_says_how_it_is_used(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        attempt_module.run_stage("sft", counting, arguments)
    assert end.value.code == ExitCode.WRONG_COMMAND
    assert "usage: python -m training.rlhf.sft RUN_DIR" in capsys.readouterr().err


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_refused(tmp_path: Path) -> None:
    folder = make_run(tmp_path, CONFIG | {"hardware": {"device": "cuda"}}, data={"text": ("text", TEXTS[:1])})
    assert attempt(folder) == ExitCode.CONFIG_REFUSED


# resume


@pytest.mark.rule(28)
def test_a_resume_cuts_the_files_to_the_checkpoint_and_goes_on(folder: RunFolder) -> None:
    def fail(step: int) -> None:
        if step == 4:
            raise RuntimeError("struck by lightning")

    assert attempt(folder, fail) == ExitCode.BUG
    assert [line["step"] for line in lines(folder.metrics)] == [1, 2, 3]
    assert attempt(folder) == ExitCode.DONE
    assert [(line["step"], line["attempt"]) for line in lines(folder.metrics)] == [(1, 1), (2, 1), (3, 2), (4, 2)]
    resumed = [event for event in lines(folder.events) if event["kind"] == "resume"]
    assert [event["step"] for event in resumed] == [2]
    assert [event["threads"] for event in resumed] == [torch.get_num_threads()]


def test_without_a_good_checkpoint_it_starts_again_with_empty_files(folder: RunFolder) -> None:
    def fail(step: int) -> None:
        if step == 2:
            raise RuntimeError("early")

    attempt(folder, fail)
    assert attempt(folder) == ExitCode.DONE
    assert [(line["step"], line["attempt"]) for line in lines(folder.metrics)] == [(n, 2) for n in (1, 2, 3, 4)]


def test_a_half_line_of_a_killed_process_is_cut_off(folder: RunFolder) -> None:
    attempt(folder)
    with folder.metrics.open("a") as file:
        file.write('{"step":5,"los')
    attempt(folder)
    assert [line["step"] for line in lines(folder.metrics)] == [1, 2, 3, 4]


def test_a_damaged_checkpoint_is_passed_over_and_noted(folder: RunFolder) -> None:
    attempt(folder)
    (folder.checkpoint(4) / "model" / "weights").write_text("flipped")
    assert attempt(folder) == ExitCode.DONE
    kinds = [event["kind"] for event in lines(folder.events)]
    assert kinds == ["start", "checkpoint_damaged", "resume", "checkpoint"]
    assert (folder.checkpoints / "damaged-step-00000004" / "model" / "weights").read_text() == "flipped"
    assert (folder.checkpoint(4) / "model" / "weights").read_text() == "4"


# pausing and cancelling


def ask(folder: RunFolder, at_step: int, **wish: Any) -> Callable[[int], None]:
    def hook(step: int) -> None:
        if step == at_step:
            write_control(folder, Control(**wish))

    return hook


def test_a_pause_saves_the_steps_that_were_made_and_is_resumable(folder: RunFolder) -> None:
    write_control(folder, Control())
    assert attempt(folder, ask(folder, 2, request="pause")) == ExitCode.PAUSED
    status = read_status(folder)
    assert status is not None
    assert (status.state, status.checkpoint_step, status.error) == ("paused", 2, None)
    write_control(folder, Control(attempt=2))
    assert attempt(folder) == ExitCode.DONE
    assert [line["step"] for line in lines(folder.metrics)] == [1, 2, 3, 4]


def test_a_pause_in_an_unfinished_step_does_not_wait_for_it_when_all_others_are_saved(folder: RunFolder) -> None:
    write_control(folder, Control())
    assert attempt(folder, ask(folder, 3, request="pause")) == ExitCode.PAUSED
    assert [line["step"] for line in lines(folder.metrics)] == [1, 2]


def test_cancelling_ends_at_once_and_saves_nothing(folder: RunFolder) -> None:
    write_control(folder, Control())
    assert attempt(folder, ask(folder, 2, request="cancel")) == ExitCode.CANCELLED
    status = read_status(folder)
    assert status is not None
    assert (status.state, status.checkpoint_step) == ("cancelled", None)
    assert not folder.checkpoints.exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_is_a_pause(folder: RunFolder, number: int) -> None:
    def hit(step: int) -> None:
        if step == 2:
            os.kill(os.getpid(), number)

    assert attempt(folder, hit) == ExitCode.PAUSED
    status = read_status(folder)
    assert status is not None
    assert (status.state, status.checkpoint_step) == ("paused", 2)


def test_a_second_signal_ends_the_process_at_once(folder: RunFolder) -> None:
    code = (
        "import os, signal, sys, time\nfrom training.rlhf.attempt import run_stage\n"
        "def work(run):\n"
        "    for _ in range(2): os.kill(os.getpid(), signal.SIGTERM); time.sleep(0.05)\n"
        "    print('still here')\n"
        "run_stage('pretrain', work)"
    )
    command = [sys.executable, "-c", code, str(folder.root)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert ended.returncode == 143, ended.stderr
    assert "still here" not in ended.stdout


def test_the_launcher_can_ask_for_smaller_micro_batches(folder: RunFolder) -> None:
    write_control(folder, Control(micro_batch_tokens=17))
    seen: list[int] = []

    def work(run: Run) -> None:
        run.poll()
        seen.append(run.micro_batch_tokens)

    finish(folder, "pretrain", work)
    assert seen == [17]


def test_a_control_file_that_cannot_be_read_is_noted_once_and_changes_nothing(folder: RunFolder) -> None:
    def scribble(step: int) -> None:
        if step == 2:
            folder.control.write_text('{"request": "stop"}')

    assert attempt(folder, scribble) == ExitCode.DONE
    noted = [event for event in lines(folder.events) if event["kind"] == "control_refused"]
    assert len(noted) == 1
    assert 'request is "stop"; expected one of "run", "pause", "cancel"' in noted[0]["message"]


# fencing


@pytest.mark.threat(16)
def test_a_stale_attempt_writes_nothing_more(folder: RunFolder) -> None:
    write_control(folder, Control(attempt=1))
    contents: dict[Path, bytes] = {}

    def replace_it(step: int) -> None:
        if step == 2:
            write_control(folder, Control(attempt=2))
            contents.update({path: path.read_bytes() for path in folder.root.rglob("*") if path.is_file()})

    assert attempt(folder, replace_it) == ExitCode.FENCED
    now = {path: path.read_bytes() for path in folder.root.rglob("*") if path.is_file()}
    assert now == contents


@pytest.mark.parametrize("act", ["log", "event", "sample", "phase", "save", "release"])
@pytest.mark.threat(16)
def test_every_single_write_of_a_stale_attempt_is_held_back(folder: RunFolder, act: str) -> None:
    write_control(folder, Control(attempt=1))
    acts: dict[str, Callable[[Run], object]] = {
        "log": lambda run: run.log(1, {"loss": 1.0}),
        "event": lambda run: run.event("x"),
        "sample": lambda run: run.sample(1, text="x"),
        "phase": lambda run: run.phase("train"),
        "save": lambda run: run.save(1, lambda target: None),
        "release": lambda run: run.release(None, {}),
    }

    def work(run: Run) -> None:
        write_control(folder, Control(attempt=2))
        acts[act](run)

    assert finish(folder, "pretrain", work) == ExitCode.FENCED
    assert not folder.report.exists()
    assert not list(folder.checkpoints.glob("step-*"))


@pytest.mark.threat(16)
def test_two_processes_never_work_in_one_folder(folder: RunFolder) -> None:
    inner: list[ExitCode] = []
    attempt(folder, lambda step: inner.append(attempt(folder)) if step == 1 else None)
    assert inner == [ExitCode.FENCED]


def test_a_stage_started_by_hand_in_a_running_folder_leaves_its_status_alone(
    folder: RunFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    ends: list[ExitCode] = []
    seen: list[bytes] = []

    def start_another_stage(step: int) -> None:
        if step == 2:
            seen.append(folder.status.read_bytes())
            ends.append(finish(folder, "sft", counting))
            seen.append(folder.status.read_bytes())

    ends.append(attempt(folder, start_another_stage))
    assert ends == [ExitCode.FENCED, ExitCode.DONE]
    assert json.loads(seen[1])["state"] == json.loads(seen[0])["state"] == "running"
    assert "another process works in" in capsys.readouterr().err


def test_a_newer_attempt_waits_for_the_older_one_to_let_go(folder: RunFolder) -> None:
    write_control(folder, Control(attempt=1))
    ends: list[int] = []
    code = (
        "import sys, time\nfrom training.rlhf.attempt import run_stage\n"
        "def work(run):\n    print('working', flush=True)\n    while True: run.poll(); time.sleep(0.02)\n"
        "run_stage('pretrain', work)"
    )
    command = [sys.executable, "-c", code, str(folder.root)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as older:
        assert older.stdout is not None
        assert older.stdout.readline() == "working\n"
        write_control(folder, Control(attempt=2))
        ends.append(attempt(folder))
        ends.append(older.wait(timeout=120))
    assert ends == [ExitCode.DONE, ExitCode.FENCED]
    assert {line["attempt"] for line in lines(folder.metrics)} == {2}


# endings


@pytest.mark.parametrize(
    ("error", "code", "state", "word"),
    [
        (DataRefused("no rows"), 65, "failed", "data_refused"),
        (NotFinite("loss is nan at step 41, prompts p17"), 74, "failed", "not_finite"),
        (StoppedEarly("KL is above 10 nats"), 77, "done", "stopped_early"),
        (MemoryError(), 71, "failed", "out_of_memory"),
        (torch.OutOfMemoryError("CUDA out of memory"), 71, "failed", "out_of_memory"),
        (OSError(errno.ENOSPC, "No space left on device", "metrics.jsonl"), 73, "failed", "cannot_write"),
        (OSError(errno.EROFS, "Read-only file system"), 73, "failed", "cannot_write"),
        (ZeroDivisionError("by zero"), 70, "failed", "bug"),
        (OSError(errno.ECONNRESET, "reset"), 70, "failed", "bug"),
    ],
)
def test_every_failure_has_its_exit_code_state_and_word(
    folder: RunFolder, error: Exception, code: int, state: str, word: str
) -> None:
    assert ending(folder, error) == code
    status = read_status(folder)
    assert status is not None
    assert status.error is not None
    assert (status.state, status.error.code) == (state, word)
    if state == "failed":
        assert read_error(folder, 1) == status.error


def test_a_bug_leaves_its_traceback_in_the_log(folder: RunFolder, capsys: pytest.CaptureFixture[str]) -> None:
    ending(folder, ZeroDivisionError("by zero"))
    told = capsys.readouterr().err
    assert "Traceback" in told
    assert "ZeroDivisionError: by zero" in told


def test_a_log_that_takes_nothing_any_more_does_not_change_the_exit_code(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run", {**CONFIG, "stage": "sft"}, data={"text": ("text", TEXTS[:3])})
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(
            [sys.executable, "-m", "training.rlhf.pretrain", str(folder.root)],
            cwd=ROOT, stdout=full, stderr=full, check=False,
        )  # fmt: skip
    assert ended.returncode == ExitCode.CONFIG_REFUSED


def test_an_output_is_listed_once_all_of_it_is_there(folder: RunFolder) -> None:
    def work(run: Run) -> None:
        run.resume()
        run.write_output("texts", "text", [Text(id="b", text="2"), Text(id="a", text="1")])
        assert not folder.output_manifest.exists()
        run.release(None, {})

    assert finish(folder, "pretrain", work) == ExitCode.DONE
    (entry,) = json.loads(folder.output_manifest.read_text())
    assert (entry["name"], entry["kind"], entry["rows"]) == ("texts", "text", 2)
    assert not folder.model.exists()


def test_a_holder_that_never_lets_go_is_replaced_by_the_attempt_that_the_launcher_named(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempt_module, "LOCK_WAIT_SECONDS", 0.1)
    write_control(folder, Control(attempt=1))
    ends: list[ExitCode] = []

    def sleep_through_the_replacement(step: int) -> None:
        if step == 3:
            write_control(folder, Control(attempt=2))
            ends.append(attempt(folder))

    ends.append(attempt(folder, sleep_through_the_replacement))
    assert ends == [ExitCode.DONE, ExitCode.FENCED]
    assert [line["attempt"] for line in lines(folder.metrics)] == [1, 1, 2, 2]
