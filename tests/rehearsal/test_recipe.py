import pytest

from training.rehearsal.recipe import FULL, OVEROPTIMISED, RECIPES, SHORT, Recipe, stage_config
from training.rlhf.contract.config import DATA_USES, ROLES, RunConfig
from training.rlhf.contract.strict import Refused

MANY = {"generators", "rewards"}


def full_config(recipe: Recipe, stage: str, **over: object) -> RunConfig:
    models = {role: {"m": "models/m"} if role in MANY else f"models/{role}" for role in ROLES[stage].required}
    mixes_text = "pretrain_fraction" in recipe.stages[stage].get("sft", {})
    uses = [*DATA_USES[stage].required, *(["pretraining"] if mixes_text else [])]
    data = {use: ["rows"] for use in uses}
    config = stage_config(recipe, stage, job="j", seed=1, threads=1, models=models, data=data, over=over)
    return RunConfig.from_json(config)


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES.keys())
def test_every_stage_of_every_recipe_is_a_config_that_the_contract_accepts(recipe: Recipe):
    for stage in recipe.stages:
        assert full_config(recipe, stage).stage == stage


def test_what_is_laid_over_has_the_last_word_and_leaves_its_neighbours_alone():
    config = full_config(FULL, "ppo", ppo={"kl": {"coef": 0.5}})
    assert config.ppo is not None
    assert config.ppo.kl.coef == 0.5
    assert config.ppo.episodes_per_iteration == 96


def test_a_config_does_not_share_its_values_with_the_recipe():
    config = stage_config(FULL, "sft", job="j", seed=1, threads=1)
    config["conditioning"]["conditions"]["terse"] = "changed"
    assert stage_config(FULL, "sft", job="j", seed=1, threads=1)["conditioning"]["conditions"]["terse"] != "changed"


def test_a_key_that_no_stage_knows_is_refused():
    with pytest.raises(Refused, match="learning_rat"):
        full_config(FULL, "sft", optimizer={"learning_rat": 1.0})


def test_the_short_recipe_does_less_and_the_overoptimised_one_holds_less():
    short, full, loose = (full_config(recipe, "ppo").ppo for recipe in (SHORT, FULL, OVEROPTIMISED))
    assert short is not None
    assert full is not None
    assert loose is not None
    assert short.episodes < full.episodes < loose.episodes
    assert loose.kl.coef < full.kl.coef
    assert OVEROPTIMISED.ranked_prompts < FULL.ranked_prompts


def test_no_stage_ends_by_the_clock():
    for stage in FULL.stages:
        config = full_config(FULL, stage)
        assert config.checkpoints.every_seconds > 10_000
