"""From prompts to a file of responses, and from there to one with scores."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.rlhf.run_folders import (
    base_config,
    make_language_model,
    make_reward_model,
    make_run,
    make_tokens,
    read_json,
    read_lines,
    run_here,
)
from tests.rlhf.tiny_runs import run_in_a_process
from training.rlhf import sample, score
from training.rlhf.contract.exit_codes import ExitCode
from training.rlhf.contract.records import Message, Prompt, Response, read_rows
from training.rlhf.contract.run_folder import (
    RunFolder,
    model_identity,
    read_models_manifest,
    read_output_manifest,
    read_status,
    write_models_manifest,
)
from training.rlhf.layouts import Exchange, padded
from training.rlhf.models import HEAD_FILE, ScalarModel
from training.rlhf.run import Run
from training.rlhf.sampling import sample_responses
from training.rlhf.tokens import CHAT_TEMPLATE

PROMPTS = [Prompt(id=f"p{n}", messages=(Message(role="user", content=f"w{n} w{n + 1}"),)) for n in range(5)]
LONG = Prompt(id="long", messages=(Message(role="user", content="w1 " * 40),))


def sample_run(
    tmp_path: Path,
    *,
    reward: Path | None = None,
    micro_batch_tokens: int = 400,
    conditions: dict[str, str] | None = None,
    **settings: Any,
) -> RunFolder:
    generators = {name: make_language_model(tmp_path / name, seed=seed) for seed, name in enumerate(("one", "two"))}
    models: dict[str, Any] = {"generators": {name: f"models/{name}" for name in generators}}
    if reward is not None:
        generators["reward"] = reward
        models["reward"] = "models/reward"
    config = base_config(
        "sample", models=models, data={"prompts": ["prompts"]},
        lengths={"prompt_tokens": 16, "response_tokens": 8, "context_tokens": 32},
        hardware={"micro_batch_tokens": micro_batch_tokens}, checkpoints={"every_steps": 1},
        sample={"responses_per_prompt": 3, **settings},
        **({"conditioning": {"mode": "message", "conditions": conditions}} if conditions else {}),
    )  # fmt: skip
    return make_run(tmp_path / "run", config, models=generators, data={"prompts": ("prompt", [*PROMPTS, LONG])})


def responses_of(folder: RunFolder) -> list[Response]:
    return list(read_rows(folder.output("responses"), Response))


def test_every_generator_answers_every_prompt_k_times(tmp_path: Path) -> None:
    folder = sample_run(tmp_path)
    assert run_here(folder, sample) == ExitCode.DONE
    rows = responses_of(folder)
    assert len(rows) == 2 * 5 * 3
    assert {(row.prompt, row.generator) for row in rows} == {(p.id, g) for p in PROMPTS for g in ("one", "two")}
    (entry,) = read_output_manifest(folder)
    assert (entry.name, entry.kind, entry.rows) == ("responses", "response", 30)
    report = read_json(folder.report)
    assert report["generators"]["one"]["too_long"]["prompt_too_long"] == 1
    assert report["generators"]["one"]["responses"] == 15
    stop = make_tokens().stop_token_ids[0]
    assert all((row.finish == "stop") == (row.token_ids[-1] == stop) for row in rows)
    assert not folder.model.exists()


@pytest.mark.rule(28)
def test_the_same_config_writes_the_same_bytes(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    one, other = sample_run(tmp_path / "a"), sample_run(tmp_path / "b")
    assert run_here(one, sample) == run_here(other, sample) == ExitCode.DONE
    assert one.output("responses").read_bytes() == other.output("responses").read_bytes()


KILL_AFTER = """
from training.rlhf.run import Run
whole_end_step = Run.end_step
def end_step(run, step, save):
    whole_end_step(run, step, save)
    if step >= {step}:
        os.kill(os.getpid(), signal.SIGKILL)
Run.end_step = end_step
"""
"""Plants kill -9 right after the checkpoint of a step."""


def kill_and_go_on(
    killed: RunFolder, stage: Any, *, step: int, monkeypatch: pytest.MonkeyPatch
) -> tuple[bytes, list[int]]:
    """The output of a run that was killed at a step, and the steps that its second attempt went through."""
    name = stage.__name__.rpartition(".")[2]
    ended = run_in_a_process(killed, name, before=KILL_AFTER.format(step=step))
    assert ended.returncode == -9, ended.stderr
    assert not killed.output("responses").exists()
    again: list[int] = []
    end_step = Run.end_step
    monkeypatch.setattr(Run, "end_step", lambda run, step, save: again.append(step) or end_step(run, step, save))
    assert run_here(killed, stage) == ExitCode.DONE
    return killed.output("responses").read_bytes(), again


@pytest.mark.rule(28)
def test_a_sampling_that_was_killed_goes_on_from_its_checkpoint_and_writes_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    whole, killed = (sample_run(tmp_path / name, micro_batch_tokens=12) for name in ("a", "b"))
    assert run_here(whole, sample) == ExitCode.DONE
    found, steps = kill_and_go_on(killed, sample, step=7, monkeypatch=monkeypatch)
    assert found == whole.output("responses").read_bytes()
    assert steps == [9, 10], "two prompts are a batch"


def test_a_limit_takes_prompts_spread_over_all(tmp_path: Path) -> None:
    folder = sample_run(tmp_path, limit_prompts=2, responses_per_prompt=1)
    assert run_here(folder, sample) == ExitCode.DONE
    assert {row.prompt for row in responses_of(folder)} == {"p0", "p2"}


def test_each_generator_is_asked_in_its_own_format(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[int]] = []

    def spy(model: Any, prompts: list[list[int]], **more: Any) -> Any:
        asked.append(prompts[0])
        return sample_responses(model, prompts, **more)

    monkeypatch.setattr(sample, "sample_responses", spy)
    folder = sample_run(tmp_path, formats={"two": "plain"}, limit_prompts=1)
    assert run_here(folder, sample) == ExitCode.DONE
    tokens = make_tokens()
    plain = replace(tokens, template=None)
    assert asked == [one.prompt_ids(PROMPTS[0].messages) for one in (tokens, plain)]
    assert {row.generator for row in responses_of(folder)} == {"one", "two"}


def test_one_generator_is_told_a_condition_and_the_other_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[list[int]] = []

    def spy(model: Any, prompts: list[list[int]], **more: Any) -> Any:
        asked.append(prompts[0])
        return sample_responses(model, prompts, **more)

    monkeypatch.setattr(sample, "sample_responses", spy)
    folder = sample_run(tmp_path, told={"two": "terse"}, conditions={"terse": "w9"}, limit_prompts=1)
    assert run_here(folder, sample) == ExitCode.DONE
    tokens = replace(make_tokens(), conditions={"terse": "w9"})
    assert asked == [tokens.prompt_ids(PROMPTS[0].messages, condition=told) for told in (None, "terse")]
    assert {(row.generator, row.condition) for row in responses_of(folder)} == {("one", None), ("two", "terse")}


def test_the_best_of_n_is_the_one_with_the_highest_score() -> None:
    assert sample.best_of_each([0.1, 0.9, 0.3, 2.0, 2.0, -1.0], n=3) == [1, 3]


def test_best_of_n_scores_higher_than_a_single_draw(tmp_path: Path) -> None:
    reward = make_reward_model(tmp_path / "reward")
    means = {}
    for n in (2, 8):
        (tmp_path / str(n)).mkdir()
        folder = sample_run(tmp_path / str(n), reward=reward, best_of={"n": n})
        assert run_here(folder, sample) == ExitCode.DONE
        means[n] = read_json(folder.report)["generators"]["one"]["score"]["mean"]
    assert means[8] > means[2]


def test_a_reward_model_that_reads_chats_in_another_template_is_refused(tmp_path: Path) -> None:
    reward = make_reward_model(tmp_path / "reward")
    (reward / "chat_template.jinja").write_text(f"{CHAT_TEMPLATE}?")
    folder = sample_run(tmp_path, reward=reward, best_of={"n": 2}, limit_prompts=1)
    assert run_here(folder, sample) == ExitCode.CONFIG_REFUSED
    status = read_status(folder)
    assert status is not None
    assert status.error is not None
    assert "models.reward has another chat template than models.generators.one" in status.error.message


def score_run(tmp_path: Path, rows: list[Response], *, micro_batch_tokens: int = 400) -> RunFolder:
    rewards = {name: make_reward_model(tmp_path / name, seed=seed) for seed, name in enumerate(("rm1", "rm2"))}
    config = base_config(
        "score", models={"rewards": {name: f"models/{name}" for name in rewards}},
        data={"prompts": ["prompts"], "responses": ["responses"]}, score={},
        hardware={"micro_batch_tokens": micro_batch_tokens}, checkpoints={"every_steps": 1},
    )  # fmt: skip
    return make_run(
        tmp_path / "scored", config, models=rewards,
        data={"prompts": ("prompt", PROMPTS), "responses": ("response", rows)},
    )  # fmt: skip


def response(name: str, prompt: str, *ids: int) -> Response:
    return Response(id=name, prompt=prompt, text="", token_ids=ids, finish="stop", generator="g")


def test_each_response_gets_the_score_it_has_alone(tmp_path: Path) -> None:
    rows = [response("a", "p0", 5, 6, 7), response("b", "p0", 8), response("c", "p3", 9, 9), response("d", "p0", 5, 5)]
    folder = score_run(tmp_path, rows)
    assert run_here(folder, score) == ExitCode.DONE
    model = ScalarModel.load(tmp_path / "rm2" / "model", device=torch.device("cpu"))
    tokens = make_tokens()
    for row in responses_of(folder):
        assert set(row.scores) == {"rm1", "rm2"}
        prompt = next(p for p in PROMPTS if p.id == row.prompt)
        layout = padded([Exchange(tokens.prompt_ids(prompt.messages), [row.token_ids])])
        assert row.scores["rm2"] == pytest.approx(model(layout, layout.last).item(), abs=1e-5)
    assert read_json(folder.report)["rewards"]["rm1"]["generators"]["g"]["prompts"] == 2


@pytest.mark.rule(28)
def test_a_scoring_that_was_killed_goes_on_from_its_checkpoint_and_writes_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [response(f"r{number}", f"p{number}", 5, 6, number + 1) for number in range(5)]
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    whole, killed = (score_run(tmp_path / name, rows, micro_batch_tokens=8) for name in ("a", "b"))
    assert run_here(whole, score) == ExitCode.DONE
    found, steps = kill_and_go_on(killed, score, step=6, monkeypatch=monkeypatch)
    assert found == whole.output("responses").read_bytes()
    assert steps == [7, 8, 9, 10]


def test_a_response_too_long_keeps_no_score_and_is_counted(tmp_path: Path) -> None:
    folder = score_run(tmp_path, [response("a", "p0", 5), response("b", "p0", *[5] * 40)])
    assert run_here(folder, score) == ExitCode.DONE
    assert [bool(row.scores) for row in responses_of(folder)] == [True, False]
    assert read_json(folder.report)["rewards"]["rm1"]["too_long"]["response_too_long"] == 1


@pytest.mark.parametrize(
    ("row", "told"),
    [
        (response("a", "elsewhere", 5), "prompt elsewhere"),
        (response("a", "p0", 5000), "outside a vocabulary"),
        (response("a", "p0", 5, -1), "outside a vocabulary"),
        (response("a", "p0"), "has no token ids"),
    ],
)
def test_a_response_that_cannot_be_scored_is_refused_by_name(tmp_path: Path, row: Response, told: str) -> None:
    folder = score_run(tmp_path, [row])
    assert run_here(folder, score) == ExitCode.DATA_REFUSED
    status = read_status(folder)
    assert status is not None
    assert status.error is not None
    assert "response a" in status.error.message
    assert told in status.error.message
    assert not read_lines(folder.events) or not folder.output("responses").exists()


def test_a_score_that_is_no_number_ends_the_stage_and_names_the_response(tmp_path: Path) -> None:
    folder = score_run(tmp_path, [response("a", "p0", 5)])
    head = (folder.root / "models/rm1").resolve() / HEAD_FILE
    save_file({name: weight * float("nan") for name, weight in load_file(head).items()}, head)
    entries = [
        replace(entry, sha256=model_identity(folder.root / entry.path)) for entry in read_models_manifest(folder)
    ]
    write_models_manifest(folder, entries)
    assert run_here(folder, score) == ExitCode.NOT_FINITE
    status = read_status(folder)
    assert status is not None
    assert status.error is not None
    assert status.error.message.startswith("models.rewards.rm1 scores response a nan")
