"""config.json is read strictly: what has no meaning is refused in one sentence that names it."""

import json
import re
from typing import Any

import pytest

from training.rlhf.contract.config import STAGES, RunConfig, parse_config
from training.rlhf.contract.exit_codes import ConfigRefused
from training.rlhf.contract.settings import Optimizer
from training.rlhf.contract.stages import MissingStop
from training.rlhf.contract.strict import Refused

SFT: dict[str, Any] = {
    "format": 1, "stage": "sft", "job": "j1", "seed": 3, "models": {"init": "models/base"},
    "data": {"train": ["demos"]}, "sft": {},
}  # fmt: skip


def refusal(**changes: Any) -> str:
    with pytest.raises(ConfigRefused) as refused:
        parse_config(json.dumps({**SFT, **changes}))
    return str(refused.value)


def test_it_gives_every_key_that_is_left_out_its_default() -> None:
    config = parse_config(json.dumps(SFT))
    assert config.optimizer.learning_rate == 9e-6
    assert config.optimizer.betas == (0.9, 0.95)
    assert config.optimizer.eps == 1e-5
    assert config.sft is not None
    assert config.sft.sequences == 32


def test_what_it_writes_it_reads_again() -> None:
    config = parse_config(json.dumps(SFT))
    assert parse_config(json.dumps(config.to_json())) == config


@pytest.mark.parametrize(
    ("rate", "told"),
    [
        ("-1e-5", "optimizer.learning_rate is -1e-05; expected a number above 0"),
        ("0", "optimizer.learning_rate is 0; expected a number above 0"),
        ("NaN", "optimizer.learning_rate is NaN; expected a number above 0"),
        ("1e999", "optimizer.learning_rate is Infinity; expected a number above 0"),
        ('"1e-5"', 'optimizer.learning_rate is "1e-5"; expected a number above 0'),
        ("true", "optimizer.learning_rate is true; expected a number above 0"),
        ("null", "optimizer.learning_rate is null; expected a number above 0"),
    ],
)
def test_it_refuses_a_learning_rate_that_is_no_number_above_0(rate: str, told: str) -> None:
    text = json.dumps(SFT)[:-1] + f', "optimizer": {{"learning_rate": {rate}}}}}'
    with pytest.raises(ConfigRefused) as refused:
        parse_config(text)
    assert str(refused.value) == told


def test_it_names_an_unknown_key_and_the_one_that_may_be_meant() -> None:
    told = refusal(optimizer={"learning_rat": 1e-5})
    assert told == 'optimizer.learning_rat is not a known key; did you mean "learning_rate"?'


def test_it_lists_the_known_keys_where_none_is_near() -> None:
    assert refusal(sft={"zzz": 1}).startswith("sft.zzz is not a known key; known keys here: epochs, ")


def test_true_is_not_a_whole_number() -> None:
    assert refusal(seed=True).startswith("seed is true; expected a whole number")


def test_a_fraction_is_not_a_whole_number() -> None:
    assert refusal(sft={"epochs": 1.5}) == "sft.epochs is 1.5; expected a whole number of at least 1"


def test_a_whole_number_may_stand_for_a_number() -> None:
    rate = parse_config(json.dumps({**SFT, "optimizer": {"learning_rate": 1}})).optimizer.learning_rate
    assert rate == 1.0
    assert isinstance(rate, float)


def test_it_says_what_is_missing() -> None:
    without = {key: value for key, value in SFT.items() if key != "seed"}
    with pytest.raises(ConfigRefused, match="^seed is missing; expected a whole number"):
        parse_config(json.dumps(without))


@pytest.mark.parametrize(
    "path", ["/etc/passwd", "../sft", "models/../../x", "models//sft", "./models", "", "models\\sft", "C:/x", "a\x00b"]
)
def test_it_refuses_a_path_that_leaves_the_run_folder(path: str) -> None:
    assert refusal(models={"init": path}).startswith("models.init is ")


@pytest.mark.parametrize("name", ["a/b", "..", "../x", "", "a b", ".hidden", "x" * 101])
def test_it_refuses_a_data_name_that_is_no_plain_name(name: str) -> None:
    assert refusal(data={"train": [name]}).startswith("data.train[0] is ")


def test_a_hub_model_is_named_as_one() -> None:
    config = parse_config(json.dumps({**SFT, "models": {"init": "hub:owner/name@main"}}))
    assert config.models.init == "hub:owner/name@main"
    assert refusal(models={"init": "hub:owner/../x"}).startswith("models.init is ")


def test_it_wants_the_section_of_its_stage() -> None:
    told = refusal(stage="reward")
    assert told == 'reward is missing; stage is "reward", so a section of that name is expected'


def test_it_wants_no_other_section() -> None:
    assert refusal(dpo={}).startswith('dpo is not expected: stage is "sft"')


def test_it_wants_the_models_of_its_stage_and_no_others() -> None:
    assert refusal(models={}) == 'models.init is missing; stage "sft" cannot do without it'
    told = refusal(models={"init": "models/base", "policy": "models/rm"})
    assert told == 'models.policy is "models/rm"; stage "sft" does not use it'


def test_it_refuses_two_ways_of_counting_a_step() -> None:
    assert "not both" in refusal(sft={"sequences_per_step": 4, "tokens_per_step": 100})


def test_it_refuses_conditions_that_nobody_reads_and_a_mode_without_conditions() -> None:
    assert refusal(conditioning={"conditions": {"terse": "Be brief."}}).startswith("conditioning.conditions is ")
    assert refusal(conditioning={"mode": "message"}).startswith("conditioning.conditions is {}")


def test_it_refuses_what_is_not_built_yet() -> None:
    assert refusal(hardware={"processes": 2}) == "hardware.processes is 2; expected 1"
    assert refusal(adapter={"r": 8}) == 'adapter is {"r": 8}; expected null'


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "is not JSON"),
        ("[]", "expected an object"),
        ('{"seed": 1, "seed": 2}', 'the key "seed" twice'),
        ("[" * 100_000, "nested too deeply"),
        (b"\xff", "is not UTF-8"),
    ],
)
def test_it_refuses_what_is_no_json_object(text: str | bytes, told: str) -> None:
    with pytest.raises(ConfigRefused, match=told):
        parse_config(text)


def test_a_long_value_is_cut_in_the_message() -> None:
    assert len(refusal(job="x " * 10_000)) < 250


def test_rules_hold_for_sections_made_in_python() -> None:
    with pytest.raises(Refused, match="learning_rate is -1.0; expected a number above 0"):
        Optimizer(learning_rate=-1.0)


def test_the_condition_dropout_is_that_of_the_stage() -> None:
    conditioning = {"mode": "message", "conditions": {"terse": "Be brief."}}
    assert parse_config(json.dumps({**SFT, "conditioning": conditioning})).condition_dropout == 0.5
    given = {**SFT, "conditioning": {**conditioning, "dropout": 0.1}}
    assert parse_config(json.dumps(given)).condition_dropout == 0.1


def test_every_stage_has_a_section_of_its_name() -> None:
    assert set(STAGES) <= set(RunConfig.__dataclass_fields__)


@pytest.mark.parametrize(
    ("lengths", "sentence"),
    [
        (
            {"prompt_tokens": 64, "response_tokens": 32, "context_tokens": 64},
            "lengths.prompt_tokens is 64; expected less than lengths.context_tokens, which is 64, or no response fits",
        ),
        (
            {"prompt_tokens": 8, "response_tokens": 65, "context_tokens": 64},
            "lengths.response_tokens is 65; expected at most lengths.context_tokens, which is 64",
        ),
    ],
)
def test_lengths_that_contradict_each_other_are_refused(lengths: dict[str, int], sentence: str) -> None:
    config = {"format": 1, "stage": "sft", "job": "j", "seed": 1, "models": {"init": "models/m"}, "sft": {}}
    with pytest.raises(ConfigRefused, match=re.escape(sentence)):
        parse_config(json.dumps(config | {"data": {"train": ["d"]}, "lengths": lengths}))


def test_a_missing_stop_is_never_paid_for() -> None:
    sentence = 'value is -1.0; expected 0 or more where mode is "subtract", or being cut off would be rewarded'
    with pytest.raises(Refused, match=re.escape(sentence)):
        MissingStop(value=-1.0)
    assert MissingStop(mode="replace", value=-1.0).value == -1.0


def test_a_format_for_a_generator_that_is_not_there_is_refused_by_its_name() -> None:
    asked: dict[str, Any] = {
        "format": 1, "stage": "sample", "job": "j1", "seed": 3, "models": {"generators": {"sft": "models/sft"}},
        "data": {"prompts": ["p"]}, "sample": {"formats": {"bse": "plain"}},
    }  # fmt: skip
    with pytest.raises(ConfigRefused, match=r"sample\.formats\.bse names no generator; models\.generators has: sft"):
        parse_config(json.dumps(asked))
    asked["sample"]["formats"] = {"sft": "html"}
    with pytest.raises(ConfigRefused, match=r'sample\.formats\.sft is "html"; expected one of "chat", "plain"'):
        parse_config(json.dumps(asked))


def test_what_a_generator_is_told_is_a_condition_that_the_config_has() -> None:
    asked: dict[str, Any] = {
        "format": 1, "stage": "sample", "job": "j1", "seed": 3, "models": {"generators": {"sft": "models/sft"}},
        "data": {"prompts": ["p"]}, "sample": {"told": {"policy": "terse"}},
        "conditioning": {"mode": "message", "conditions": {"terse": "Be brief."}},
    }  # fmt: skip
    with pytest.raises(ConfigRefused, match=r"sample\.told\.policy names no generator; models\.generators has: sft"):
        parse_config(json.dumps(asked))
    asked["sample"]["told"] = {"sft": "warm"}
    with pytest.raises(ConfigRefused, match=r'sample\.told\.sft is "warm"; conditioning\.conditions has: terse'):
        parse_config(json.dumps(asked))
    asked["sample"]["told"] = {"sft": "terse"}
    assert parse_config(json.dumps(asked)).sample.told == {"sft": "terse"}  # type: ignore[union-attr]
