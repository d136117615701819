"""What a stage wants of memory, where several models learn or score at once."""

from pathlib import Path
from typing import Any

from tests.rlhf.run_folders import base_config, make_reward_model
from training.rlhf.contract.config import RunConfig
from training.sizes import RUN_BYTES, TRAINED_BYTES, ModelSize, amount, memory_bytes, size_of


def config(stage: str, **sections: Any) -> RunConfig:
    return RunConfig.from_json(base_config(stage, **sections))


def reward_config(**settings: Any) -> RunConfig:
    return config("reward", models={"init": "models/init"}, data={"train": ["x"]}, reward=settings)


def test_each_member_of_an_ensemble_and_the_model_of_a_fold_want_room() -> None:
    sizes = {"init": ModelSize(1000)}
    one = memory_bytes(reward_config(), sizes)
    assert memory_bytes(reward_config(members=3), sizes) - one == 2 * 1000 * TRAINED_BYTES
    assert memory_bytes(reward_config(members=3, folds=5), sizes) - one == 3 * 1000 * TRAINED_BYTES


def test_ppo_holds_every_member_of_its_reward_model() -> None:
    told = config("ppo", models={"policy": "models/p", "reward": "models/r"}, data={"train": ["x"]},
                  ppo={"episodes": 64, "episodes_per_iteration": 64})  # fmt: skip
    lone = memory_bytes(told, {"policy": ModelSize(1000), "reward": ModelSize(500)})
    three = memory_bytes(told, {"policy": ModelSize(1000), "reward": ModelSize(500, members=3)})
    assert three - lone == 2 * 500 * RUN_BYTES


def test_members_are_counted_in_the_folder(tmp_path: Path) -> None:
    folder = make_reward_model(tmp_path)
    assert size_of(folder).members == 1
    (folder / "members" / "1").mkdir(parents=True)
    (folder / "members" / "1" / "config.json").write_text("{}")
    assert size_of(folder).members == 2


def test_members_and_folds_take_their_time() -> None:
    told = reward_config(epochs=2).to_json()
    assert amount(told, 100) == 200
    assert amount(reward_config(epochs=2, members=3).to_json(), 100) == 600
    assert amount(reward_config(epochs=2, folds=5).to_json(), 100) == 200 * 5


def test_sft_holds_every_member_of_the_model_that_chooses_its_epoch() -> None:
    models, data = {"init": "models/init", "reward": "models/reward"}, {"train": ["x"], "validation": ["y"]}
    judged = config("sft", models=models, data=data, sft={"select": "reward_score"})
    alone = config("sft", models={"init": "models/init"}, data=data, sft={})
    sizes = {"init": ModelSize(1000), "reward": ModelSize(900, members=2)}
    plain = memory_bytes(alone, {"init": ModelSize(1000)})
    assert memory_bytes(judged, sizes) - plain == 2 * 900 * RUN_BYTES
