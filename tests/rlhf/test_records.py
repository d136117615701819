"""Rows of data files: written once in one way, read strictly, refused by file and line."""

import json
from pathlib import Path
from typing import Any

import pytest

from training.rlhf.contract.exit_codes import DataRefused, InputMissing
from training.rlhf.contract.records import (
    ROW_LIMIT_BYTES,
    Answer,
    Choice,
    Comparison,
    Message,
    Prompt,
    Ranking,
    RankingJudgment,
    RatingRow,
    Text,
    read_rows,
    write_rows,
)
from training.rlhf.contract.strict import Refused

ASK = (Message(role="user", content="Why?"),)
TWO = (Answer(id="a", text="So."), Answer(id="b", text="Because."))
RANKING: dict[str, Any] = {
    "id": "p1", "messages": [{"role": "user", "content": "Why?"}],
    "responses": [{"id": "a", "text": "So."}, {"id": "b", "text": "Because."}],
    "judged": [{"labeler": "L1", "ranks": [1, 2]}],
}  # fmt: skip


def refusal(tmp_path: Path, row_type: Any, *rows: Any) -> str:
    path = tmp_path / "rows.jsonl"
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))
    with pytest.raises(DataRefused) as refused:
        list(read_rows(path, row_type))
    return str(refused.value)


def test_rows_come_back_as_they_were_sorted_by_id(tmp_path: Path) -> None:
    rows = [Text(id="b", text="two"), Text(id="a", text="naïve \u2028 \U0001f43b")]
    write_rows(tmp_path / "x.jsonl", rows)
    assert list(read_rows(tmp_path / "x.jsonl", Text)) == [rows[1], rows[0]]


def test_equal_rows_give_equal_bytes_in_whatever_order_they_come(tmp_path: Path) -> None:
    rows = [Prompt(id=f"p{number}", messages=ASK) for number in range(5)]
    one, two = write_rows(tmp_path / "1", rows), write_rows(tmp_path / "2", reversed(rows))
    assert one == two
    assert one.bytes == (tmp_path / "1").stat().st_size


def test_a_comparison_is_a_ranking_of_two() -> None:
    judged = (
        Choice(labeler="L1", choice=0), Choice(labeler="L2", choice=1), Choice(labeler="L3", choice="tie"),
    )  # fmt: skip
    ranking = Comparison(id="p", messages=ASK, responses=TWO, judged=judged).as_ranking()
    assert [judgment.ranks for judgment in ranking.judged] == [(1, 2), (2, 1), (1, 1)]


def test_it_names_file_line_and_key(tmp_path: Path) -> None:
    bad = {**RANKING, "id": "p2", "judged": [{"labeler": "L1", "ranks": [1, 3]}]}
    told = refusal(tmp_path, Ranking, RANKING, bad)
    assert (
        told == "rows.jsonl line 2: judged[0].ranks is [1, 3]; expected dense ranks from 1 on, such as [1, 2, 2, null]"
    )


def test_a_null_rank_is_not_ranked_and_stays_null(tmp_path: Path) -> None:
    judgment = RankingJudgment(labeler="L1", ranks=(None, 1))
    write_rows(tmp_path / "x", [Ranking(id="p", messages=ASK, responses=TWO, judged=(judgment,))])
    (row,) = read_rows(tmp_path / "x", Ranking)
    assert row.judged[0].ranks == (None, 1)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"judged": [{"labeler": "L1", "ranks": [1]}]}, "judged[0].ranks has 1 ranks for 2 responses"),
        ({"judged": [{"labeler": "L1", "ranks": [0, 1]}]}, "judged[0].ranks[0] is 0"),
        ({"responses": [{"id": "a", "text": "So."}], "judged": []}, "responses has 1; expected at least 2"),
        ({"messages": []}, "messages is []"),
        ({"messages": [{"role": "assistant", "content": "x"}]}, 'expected "user" at the end'),
        ({"messages": [{"role": "robot", "content": "x"}]}, 'messages[0].role is "robot"'),
        ({"id": ""}, 'id is ""'),
        ({"id": "\ud800"}, "id is"),
        ({"extra": 1}, "extra is not a known key"),
    ],
)
def test_it_refuses_a_ranking_without_meaning(tmp_path: Path, change: dict[str, Any], told: str) -> None:
    assert told in refusal(tmp_path, Ranking, {**RANKING, **change})


@pytest.mark.parametrize("rating", [0, 8, 3.5, True, "5"])
def test_it_refuses_a_rating_outside_1_to_7(tmp_path: Path, rating: object) -> None:
    row = {
        "id": "p", "messages": RANKING["messages"], "response": RANKING["responses"][0],
        "judged": [{"labeler": "L1", "ratings": {"overall": rating}}],
    }  # fmt: skip
    assert "judged[0].ratings.overall is" in refusal(tmp_path, RatingRow, row)


def test_it_refuses_an_id_that_comes_twice(tmp_path: Path) -> None:
    assert "line 2: id is" in refusal(tmp_path, Ranking, RANKING, RANKING)


def test_it_refuses_a_row_over_8_mib_on_the_way_in_and_out(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="at most"):
        write_rows(tmp_path / "x", [Text(id="a", text="x" * ROW_LIMIT_BYTES)])
    assert "bytes; at most" in refusal(tmp_path, Text, {"id": "a", "text": "x" * ROW_LIMIT_BYTES})


def test_a_line_that_is_cut_short_is_named(tmp_path: Path) -> None:
    assert refusal(tmp_path, Text, '{"id": "a", "te').startswith("rows.jsonl line 1: the document is not JSON")


def test_a_file_that_is_not_there_is_a_missing_input(tmp_path: Path) -> None:
    with pytest.raises(InputMissing, match="is not there"):
        list(read_rows(tmp_path / "none.jsonl", Text))
