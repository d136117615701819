"""bench/reward_models.py: its figures by hand, its parts that share no prompt, and all of it on invented rankings."""

import importlib
import json
from dataclasses import replace
from pathlib import Path

import pytest

from bench.reward_data import Judged, joined, read_sets, shingles
from bench.reward_figures import Found, Pair, facts_of, figures_of, human_agreement, pairs_of, share
from bench.reward_models import main
from bench.reward_page import Results, claim, flat, page
from bench.reward_runs import Runs
from bench.reward_settings import SIZES
from bench.stage_runs import StageFailed, run_stage
from tests.services import DATA
from training.rlhf.attempt import attempt_stage
from training.rlhf.contract.exit_codes import ExitCode
from training.rlhf.contract.records import Answer, Message, Ranking, RankingJudgment, Text
from training.rlhf.contract.run_folder import RunFolder

LONG_PROMPT = "please write a short letter to the neighbour about the noise of the last night in the yard"


def judged(
    row_id: str, *orders: tuple[int | None, ...], prompt: str = "", texts: tuple[str, ...] = (), set_name: str = "one"
) -> Judged:
    texts = texts or tuple("x" * (number + 1) for number in range(len(orders[0])))
    row = Ranking(
        id=row_id,
        messages=(Message(role="user", content=prompt or f"about {row_id}"),),
        responses=tuple(Answer(id=f"r{number}", text=text) for number, text in enumerate(texts)),
        judged=tuple(RankingJudgment(labeler=f"l{number}", ranks=ranks) for number, ranks in enumerate(orders)),
    )
    return Judged(set_name, row, row_id)


def pair(group: str, better: float, worse: float, better_characters: int = 10, worse_characters: int = 10) -> Pair:
    return Pair(group, better, worse, better_characters, worse_characters)


# --- figures ----------------------------------------------------------------------------------------------------------


def test_every_labelers_untied_pair_counts_once_and_rows_without_scores_do_not() -> None:
    rows = [judged("a", (1, 2, 2), (2, 1, None)), judged("b", (1, 2))]
    scores = {("a", "r0"): 1.0, ("a", "r1"): 2.0, ("a", "r2"): 0.0}
    found = pairs_of(rows, scores)
    assert [(one.better, one.worse) for one in found] == [(1.0, 2.0), (1.0, 0.0), (2.0, 1.0)]
    assert share(found, lambda one: one.right).value == pytest.approx(2 / 3)


def test_length_stands_by_the_better_of_its_two_rules() -> None:
    figures = figures_of([[pair(f"g{n}", 1.0, 0.0, 5, 20) for n in range(4)] + [pair("g4", 0.0, 1.0, 20, 5)]])
    assert figures.length_rule == "the shorter one is better"
    assert figures.length.value == pytest.approx(0.8)
    assert figures.over_length.value == pytest.approx(0.0)
    assert (figures.shorter_preferred.value, figures.longer_preferred.value) == (1.0, 0.0)
    assert {name: found.pairs for name, found in figures.by_ratio.items()} == {
        "below 1.25": 0, "1.25 to 2": 0, "2 and more": 5,
    }  # fmt: skip


def test_a_model_that_knows_nothing_has_the_log_loss_of_a_coin() -> None:
    figures = figures_of([[pair(f"g{number}", 0.0, 0.0) for number in range(6)]])
    assert figures.surprise.value == pytest.approx(0.693147, abs=1e-6)
    assert (figures.accuracy.value, figures.calibration[0][1]) == (0.5, 0.5)


def test_confidence_is_set_beside_the_share_that_was_right() -> None:
    figures = figures_of([[pair("a", 3.0, 0.0), pair("b", 0.0, 3.0), pair("c", 900.0, 0.0)]])
    name, told, found = figures.calibration[-1]
    assert (name, found.pairs, found.value) == ("0.9 to 1.0", 3, pytest.approx(2 / 3))
    assert told == pytest.approx((2 * 0.952574 + 1) / 3, abs=1e-5)


def width(one: Found) -> float:
    assert one.low is not None
    assert one.high is not None
    return one.high - one.low


def test_an_interval_is_over_groups_and_not_over_pairs() -> None:
    alone = share([pair(f"g{number}", number % 3, 1) for number in range(60)], lambda one: one.right)
    alike = share([pair(f"g{number // 6}", (number // 6) % 3, 1) for number in range(60)], lambda one: one.right)
    assert (alike.groups, alone.groups) == (10, 60)
    assert width(alike) > 1.5 * width(alone)


def test_people_agree_where_two_told_the_same_pair_apart() -> None:
    rows = [judged("a", (1, 2), (1, 2), (2, 1)), judged("b", (1, 2), (1, 1)), judged("c", (1, 2))]
    found = human_agreement(rows)
    assert (found.value, found.pairs) == (pytest.approx(1 / 3), 6)
    assert human_agreement([judged("c", (1, 2))]).value is None


def test_ties_are_counted_and_unranked_responses_are_none() -> None:
    facts = facts_of([judged("a", (1, 1, 2)), judged("b", (1, None, 2, 2))])
    assert (facts.pairs, facts.tied, facts.responses, facts.labelers) == (4, 2, "3 to 4", 1)


# --- what may be claimed ----------------------------------------------------------------------------------------------


def found(low: float | None, high: float | None) -> Found:
    return Found(None if low is None or high is None else (low + high) / 2, low, high, 100, 50)


@pytest.mark.parametrize(
    ("accuracy", "over", "said"),
    [
        ((0.45, 0.55), (-0.05, 0.05), "not shown to be better than chance"),
        ((0.40, 0.49), (-0.05, 0.05), "worse than chance"),
        ((0.55, 0.65), (0.01, 0.05), "better than chance and than length alone"),
        ((0.55, 0.65), (-0.01, 0.05), "not shown to be better than the rule that the longer one is better"),
        ((0.55, 0.65), (-0.09, -0.01), "better than chance, but worse than the rule"),
        ((None, None), (None, None), "nothing can be claimed"),
    ],
)  # fmt: skip
def test_the_sentence_says_no_more_than_the_intervals(
    accuracy: tuple[float | None, float | None], over: tuple[float | None, float | None], said: str
) -> None:
    figures = replace(
        figures_of([[pair("a", 1.0, 0.0, 20, 5)]]),
        accuracy=found(*accuracy), over_length=found(*over), surprise=found(0.70, 0.72),
    )  # fmt: skip
    told = claim(figures, found(0.6, 0.7))
    assert said in told
    assert ("worth less than saying one half" in told) == (accuracy[0] is not None)


# --- parts ------------------------------------------------------------------------------------------------------------


def test_near_equal_prompts_are_one_group_across_sets_and_others_are_not() -> None:
    rows = [
        judged("a", (1, 2), prompt=LONG_PROMPT),
        judged("b", (1, 2), prompt=f"  {LONG_PROMPT.upper()}! Thank you very much.", set_name="two"),
        judged("c", (1, 2), prompt="which river is the longest one of all the rivers in the whole world"),
    ]
    groups = joined(rows)
    assert groups["a"] == groups["b"] != groups["c"]
    assert len({replace(one, group=groups[one.row.id]).fold for one in rows[:2]}) == 1


def test_a_text_of_few_words_is_one_shingle() -> None:
    assert len(shingles("Go on, please")) == len(shingles("go  on please")) == 1
    assert shingles("Go on, please") == shingles("go  on please")


@pytest.mark.data
def test_no_prompt_of_the_real_sets_stands_on_two_sides() -> None:
    sets = read_sets(DATA)
    assert {name: len(rows) for name, rows in sets.items()} == {
        "pairs_hh_harmless": 1973, "pairs_pandalm": 830, "pairs_tulu": 840, "rankings_fgrlhf": 402,
        "rankings_oasst": 175,
    }  # fmt: skip
    groups: dict[str, set[str]] = {}
    for one in (one for rows in sets.values() for one in rows):
        asked = " ".join("\n".join(turn.content for turn in one.row.messages).casefold().split())
        groups.setdefault(asked, set()).add(one.group)
    assert [len(of_prompt) for of_prompt in groups.values() if len(of_prompt) > 1] == []


# --- all of it --------------------------------------------------------------------------------------------------------


def start_here(folder: RunFolder, stage: str, threads: int) -> None:
    work = importlib.import_module(f"training.rlhf.{stage}").train
    if attempt_stage(folder, stage, work) != ExitCode.DONE:  # type: ignore[arg-type]
        raise StageFailed(folder.root.name)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    """Two invented sets: in the first whoever says yes is preferred, in the second the longer one is."""
    said = ("yes it is so", "no it is not"), ("a word", "a word and then some more of them")
    sets = {
        name: [
            judged(
                f"{name}:{number}", ranks, prompt=f"{name} asks {number} {number * number}", texts=texts, set_name=name
            )
            for number in range(60)
        ]
        for name, texts, ranks in (("yes", said[0], (1, 2)), ("long", said[1], (2, 1)))
    }
    texts = [
        Text(id=f"{number:02}", text=f"The {number} asks, and yes it is so, or no it is not. " * 9)
        for number in range(20)
    ]
    size = replace(SIZES["small"], vocabulary=300, choosing=("yes",))
    return Runs(tmp_path_factory.mktemp("runs") / "work", size, sets, texts, start=start_here)


def test_a_whole_run_learns_what_can_be_learned_and_tells_it(runs: Runs) -> None:
    results = Results.of(runs)
    assert results.figures["yes"].accuracy.value == 1.0
    assert results.figures["long"].length.value == 1.0
    assert set(results.joint) == {"yes", "long"}
    assert results.joint["yes"].own == results.figures["yes"].accuracy
    assert results.joint["long"].gain.value == pytest.approx(
        (results.joint["long"].all_five.value or 0) - (results.joint["long"].own.value or 0)
    )
    told = page(results)
    assert "It is better than chance" in told
    assert "{" not in told
    assert json.loads(json.dumps(flat(results)))["yes_accuracy"] == 1.0


def test_a_run_that_is_done_is_not_made_again(runs: Runs) -> None:
    runs.pretrain()

    def refuse(folder: RunFolder, stage: str, threads: int) -> None:
        raise AssertionError(f"{stage} began again")

    assert replace(runs, start=refuse).pretrain().report["stage"] == "pretrain"


def test_a_stage_that_fails_says_why(tmp_path: Path) -> None:
    config = {"stage": "daydream", "hardware": {"threads": 1}}
    with pytest.raises(StageFailed, match="daydream in run ended with 1: .*No module named training.rlhf.daydream"):
        run_stage(tmp_path / "run", config, data={})


def test_without_the_data_it_says_which_file_is_wanted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--data", str(tmp_path), "--work", str(tmp_path / "work")])
    assert "lacks pairs_hh_harmless.jsonl.gz" in capsys.readouterr().err
