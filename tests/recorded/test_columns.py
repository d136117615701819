"""A column is written in few words and read back as it was."""

import pytest

from training.recorded.columns import NoColumn, in_one_line, packed, unpacked


@pytest.mark.parametrize(
    "values",
    [
        [],
        ["one"],
        [7] * 50,
        list(range(100, 200)),
        [None, 3, 3, None, 2, 10**13],
        [None, None],
        [True, False, True],
        ["terse", "warm"] * 30,
        [[104, 101, 103, 102], [8, 5, 7, 6], [0, 1]],
        [[], [1], [2]],
        [{"overall": 5, "helpful": 2}, {"overall": 5, "helpful": None}, {}],
        [{"loss": 0.5}, {"loss": 0.25, "accuracy": 1.0}, {"loss": 0.125}],
        [{"a": {"b": [1, {"c": None}]}}, {"a": {"b": []}}],
        [{"b": 1, "a": 2}, {"a": 1, "b": 2}, {"a": 2, "b": 1}],
        [{"x": 1}, None, [1, 2], "text", 1.5],
        [1, 1.0, True, "1"],
    ],
)
def test_what_was_written_is_read(values: list[object]) -> None:
    read = unpacked(packed(values), len(values))
    assert in_one_line(read) == in_one_line(values)


@pytest.mark.parametrize(
    ("values", "most"),
    [
        ([4] * 10_000, 20),
        (list(range(10_000)), 20_100),
        ([[start + 1, start, start + 2] for start in range(0, 30_000, 3)], 20_200),
    ],
)
def test_it_is_written_in_few_words(values: list[object], most: int) -> None:
    assert len(in_one_line(packed(values))) < most < len(in_one_line(values))


@pytest.mark.parametrize(
    "column",
    [
        None, 3, {}, {"all": [1, 2]}, {"of": ["a"], "at": [0, 0, 1]}, {"of": ["a"]}, {"steps": [1, "x", 1]},
        {"low": {"same": 1}, "above": {"all": []}}, {"shapes": [], "shape": {"same": 0}},
        {"shapes": [{"a": {"all": [1]}}], "shape": {"same": 0}},
    ],
)  # fmt: skip
def test_what_is_no_column_of_so_many_values_is_refused(column: object) -> None:
    with pytest.raises(NoColumn):
        unpacked(column, 3)
