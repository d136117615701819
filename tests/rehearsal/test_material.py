from dataclasses import fields, replace

import pytest

from training.rehearsal import material
from training.rehearsal.recipe import FULL
from training.rehearsal.tastes import rank_all
from training.rehearsal.world import make_world
from training.rlhf.contract.records import Prompt, RankingJudgment, Response

WORLD = make_world(7)


def ids(prompts: list[Prompt]) -> set[str]:
    return {prompt.id for prompt in prompts}


def test_no_prompt_is_both_demonstrated_and_ranked_or_ranked_in_two_rounds():
    shown = {row.id.removeprefix("demonstration-") for row in material.demonstrations(WORLD, FULL)}
    rounds = [ids(material.prompts_to_rank(WORLD, FULL, round_number=number)) for number in (1, 2)]
    assert len(shown) == 800
    assert [len(asked) for asked in rounds] == [FULL.ranked_prompts] * 2
    assert not shown & rounds[0]
    assert not shown & rounds[1]
    assert not rounds[0] & rounds[1]


def test_a_round_for_which_no_prompts_are_left_is_refused():
    with pytest.raises(ValueError, match="round 3 needs 1050 prompts; 4 are left"):
        material.prompts_to_rank(WORLD, FULL, round_number=3)


def test_ppo_never_meets_a_prompt_of_the_evaluation_or_of_its_own_validation():
    train, valid = material.prompts_to_roll_out(WORLD)
    assert {prompt.split for prompt in train} == {"train"}
    assert {prompt.split for prompt in valid} == {"valid"}
    assert not ids(train) & ids(material.prompts_to_evaluate(WORLD, FULL))


def test_conditioned_rollouts_are_told_both_cohorts_equally_often():
    train, _ = material.prompts_to_roll_out(WORLD, told=True)
    told = [prompt.condition for prompt in train]
    assert abs(told.count("terse") - told.count("warm")) < 0.05 * len(told)
    assert all(prompt.condition is None for prompt in material.prompts_to_roll_out(WORLD)[0])


def test_the_few_shot_form_shows_two_answers_about_other_creatures_and_keeps_the_prompt():
    plain, shown = (material.prompts_to_evaluate(WORLD, FULL, few_shot=few) for few in (False, True))
    for before, after in zip(plain, shown, strict=True):
        lines = after.messages[0].content.split("\n")
        assert len(lines) == 5
        assert lines[-1] == before.messages[0].content
        assert before.group not in " ".join(lines[:-1]).split()


def test_labelers_get_no_name_of_the_model_that_wrote_a_response():
    prompt = material.prompts_to_rank(WORLD, FULL)[0]
    said = Response(id="r1", prompt=prompt.id, text="It eats.", token_ids=(1, 2), finish="stop", generator="policy")
    ((asked, (answer,)),) = material.by_prompt([prompt], [said])
    assert asked == prompt
    assert answer.source is None
    assert answer.token_ids == (1, 2)


def test_a_reward_model_learns_from_ranks_and_nothing_else():
    assert {field.name for field in fields(RankingJudgment)} == {"labeler", "ranks", "condition", "guideline", "weight"}
    prompt = material.prompts_to_rank(WORLD, FULL)[0]
    answers = [
        Response(id=f"r{n}", prompt=prompt.id, text="No.", token_ids=(n,), finish="stop", generator="x")
        for n in range(4)
    ]
    (row,) = rank_all(WORLD, material.by_prompt([prompt], answers), seed=1)
    assert all(judgment.weight == 1.0 and judgment.guideline is None for judgment in row.judged)


def test_a_row_gives_back_its_prompt():
    row = material.demonstrations(WORLD, FULL)[0]
    assert type(material.as_prompt(row)) is Prompt
    assert material.as_prompt(row) == Prompt(**{f.name: getattr(row, f.name) for f in fields(Prompt)})
    assert material.as_prompt(replace(row, condition=None)).condition is None
