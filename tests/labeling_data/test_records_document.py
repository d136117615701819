"""docs/records.md says of the format what labeling/records.py does."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from labeling import importing, intake, record_lines, records
from labeling.api.urls import RECORDS
from labeling.record_fields import BadRecord
from labeling.records import Kind, read_record
from tests.labeling_data import samples

pytestmark = pytest.mark.sqlite

TEXT = (Path(__file__).resolve().parent.parent.parent / "docs" / "records.md").read_text(encoding="utf-8")
SECTIONS = {part.split("\n", 1)[0]: part for part in re.split(r"^## ", TEXT, flags=re.MULTILINE)[1:]}
EXAMPLES = [json.loads(block) for block in re.findall(r"```json\n(.*?)\n```", TEXT, flags=re.DOTALL)]

SAMPLES = {
    Kind.PROMPT: samples.prompt_record(),
    Kind.DEMONSTRATION: samples.demonstration(),
    Kind.CANDIDATES: samples.candidates(),
    Kind.RANKING: samples.ranking(),
    Kind.COMPARISON: samples.comparison(),
    Kind.RATING: samples.rating(),
}


def known_members(members: dict[str, Any]) -> set[str]:
    """What the reader takes in the object marked by the member "unknown": it lists that in its refusal."""
    with pytest.raises(BadRecord) as refused:
        read_record(members)
    return set(str(refused.value).partition("use one of ")[2].split(", "))


def documented(section: str, table: int = 0) -> set[str]:
    """The names in the first column of a table of the section."""
    tables = re.findall(r"^\|---.*\n((?:\|.*\n?)+)", SECTIONS[section], flags=re.MULTILINE)
    return {name for row in tables[table].splitlines() for name in re.findall(r"`(\w+)`", row.split("|")[1])}


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example["type"])
def test_every_example_can_be_read(example: dict[str, Any]) -> None:
    read_record(example)


def test_there_is_an_example_of_every_kind() -> None:
    assert sorted(example["type"] for example in EXAMPLES) == sorted(Kind)


@pytest.mark.parametrize("kind", list(Kind))
def test_every_member_of_a_record_is_described(kind: Kind) -> None:
    assert documented(kind) == known_members(SAMPLES[kind] | {"unknown": 1})


def test_every_member_of_a_response_is_described() -> None:
    response = {"text": "x", "generator": "m", "unknown": 1}
    assert documented("response") == known_members(samples.rating(response=response))


def test_every_member_of_what_a_labeler_said_is_described() -> None:
    said = samples.ranking()["judged"][0] | {"unknown": 1}
    assert documented("ranking", 1) == known_members(samples.ranking(judged=[said]))
    said = samples.rating()["judged"][0] | {"unknown": 1}
    row = next(line for line in SECTIONS["rating"].splitlines() if line.startswith("| `judged`"))
    assert set(re.findall(r"`(\w+)`", row)) - {"judged"} == known_members(samples.rating(judged=[said]))


@pytest.mark.parametrize(
    ("section", "member", "words"),
    [
        ("prompt", "use_case", records.USE_CASES),
        ("prompt", "style", records.STYLES),
        ("prompt", "origin", records.ORIGINS),
        ("prompt", "split", records.SPLITS),
        ("prompt", "messages", records.ROLES),
        ("demonstration", "review", records.REVIEWS),
        ("response", "finish_reason", records.FINISHES),
        ("ranking", "verdict", records.VERDICTS),
        ("Every record", "type", tuple(Kind)),
    ],
)
def test_the_words_that_a_member_may_hold_are_named(section: str, member: str, words: tuple[str, ...]) -> None:
    row = next(line for line in SECTIONS[section].splitlines() if line.startswith(f"| `{member}`"))
    assert set(words) <= set(re.findall(r"`(\w+)`", row))


def test_the_bounds_are_those_of_the_code() -> None:
    assert f"nesting deeper than {record_lines.MOST_DEPTH}" in TEXT
    assert record_lines.MOST_LINE_BYTES == 8 * 2**20
    assert f"at most {records.ID_CHARACTERS} characters ({records.COMPARISON_ID_CHARACTERS} for a comparison)" in TEXT
    assert f"2 to {records.MOST_RESPONSES} of them" in TEXT
    assert f"at most {records.MOST_JUDGED:,}" in TEXT
    assert [round(share * 100) for _, share in intake.SHARES] == [80, 10, 10]
    assert f"the first {importing.REASONS_KEPT} are printed" in TEXT


def test_every_address_of_the_api_is_named() -> None:
    section = SECTIONS["What goes out"]
    assert all(f"`{name}`" in section for name in RECORDS)
