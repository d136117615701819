"""A record is read strictly: what has no meaning is refused with its place, its value and what would do."""

from typing import Any

import pytest

from labeling import records
from labeling.models import Prompt, Response, Submission
from labeling.record_fields import BadRecord
from labeling.records import Kind, dense, read_record, write_record
from tests.labeling_data import samples

pytestmark = pytest.mark.sqlite

EVERY_KIND = [
    samples.prompt_record(use_case="chat", style="few_shot", group_key="g", consent="yes", split="test"),
    samples.demonstration(review="accepted"),
    samples.candidates(),
    samples.ranking(),
    samples.comparison(strength=2, shown_first="rejected", submitted_at="2026-03-01T09:30:00Z", note="close", tie=True),
    samples.rating(),
]


@pytest.mark.parametrize("members", EVERY_KIND, ids=lambda members: members["type"])
def test_what_is_read_is_written_and_read_back_as_the_same_record(members: dict[str, Any]) -> None:
    record = read_record(members)
    written = write_record(record)
    assert read_record(written) == record
    assert set(members) <= set(written)


def test_nothing_that_a_labeler_said_of_a_ranking_is_lost() -> None:
    judged = {
        "labeler": "l1",
        "simulated": True,
        "note": "the last two are close",
        "active_ms": 41_000,
        "submitted_at": "2026-03-01T10:30:00.250000+01:00",
        "ranks": [1, 2, None],
        "ratings": [{"overall": 7}, None, {}],
        "flags": [None, {"hallucination": True, "opinion": False}, None],
        "notes": ["", "", "wrong country"],
        "order": [2, 0, 1],
        "verdict": "none_acceptable",
    }
    written = write_record(read_record(samples.ranking(judged=[judged])))["judged"][0]
    assert written == judged | {
        "submitted_at": "2026-03-01T09:30:00.250000Z",
        "ratings": [{"overall": 7}, {}, {}],
        "flags": [{}, {"hallucination": True, "opinion": False}, {}],
    }


@pytest.mark.parametrize(
    ("ranks", "expected"),
    [((1, 1, 3), (1, 1, 2)), ((4, None, 2), (2, None, 1)), ((2, 2, 2), (1, 1, 1)), ((1, 2, 3), (1, 2, 3))],
)
def test_gaps_in_ranks_are_made_dense(ranks: tuple[int | None, ...], expected: tuple[int | None, ...]) -> None:
    assert dense(ranks) == expected
    record = read_record(samples.ranking(ranks=ranks))
    assert record.judged[0].ranks == expected
    assert record.gaps == (ranks != expected)


def test_ranks_may_be_given_by_response_id() -> None:
    assert read_record(samples.ranking(ranks={"c": 2, "a": 1})).judged[0].ranks == (1, None, 2)


def test_a_tie_is_no_preference() -> None:
    assert read_record(samples.comparison(tie=True)).judged[0].ranks == (1, 1)
    assert read_record(samples.comparison()).judged[0].ranks == (1, 2)


def test_a_line_end_of_two_characters_becomes_one() -> None:
    record = read_record(samples.prompt_record(text="one\r\ntwo"))
    assert record.prompt.messages[0]["content"] == "one\ntwo"


def test_a_record_without_a_type_is_of_the_kind_said_for_all() -> None:
    members = samples.prompt_record()
    del members["type"]
    assert read_record(members, kind=Kind.PROMPT).kind is Kind.PROMPT


def _said(**members: Any) -> dict[str, Any]:
    return samples.ranking(judged=[{"labeler": "l1", "ranks": [1, 2, 3], **members}])


LONE = "\ud800"
REFUSED = [
    (samples.ranking(ranks=[0, 1, 2]), "judged[0].ranks[0] is 0"),
    (samples.ranking(ranks=[1, True, 2]), "judged[0].ranks[1] is true"),
    (samples.ranking(ranks=[1, 2.0, 3]), "judged[0].ranks[1] is 2.0"),
    (samples.ranking(ranks=[1, 2]), "judged[0].ranks has 2 entries; expected exactly 3"),
    (samples.ranking(ranks={"a": 1, "z": 2}), 'ranks "z", which is not among the responses'),
    (samples.ranking(ranks=[None, None, None]), "ranks, rates and flags nothing"),
    (samples.ranking(judged=[]), "judged has 0 entries"),
    (samples.ranking(judged=samples.ranking()["judged"] * 2), 'the labeler "l1" stands there twice'),
    (samples.ranking(responses=[{"text": "x", "generator": "m"}]), "responses has 1 entries; expected 2 to 100"),
    (_said(order=[0, 1, 3]), "judged[0].order[2] is 3"),
    (_said(order=[0, 1, 1]), "was met at one place"),
    (_said(ratings=[{"overall": 8}, {}, {}]), "judged[0].ratings[0].overall is 8; expected a whole number from 1 to 7"),
    (_said(ratings=[{"overall": True}, {}, {}]), "judged[0].ratings[0].overall is true"),
    (_said(flags=[{"opinion": 1}, {}, {}]), "judged[0].flags[0].opinion is 1; expected true or false"),
    (_said(strength=1), "it has a meaning for two only"),
    (_said(why="So it is."), "only an adjudication has one"),
    (_said(aside="adjudication", why="x" * 2001), "at most 2000 are taken"),
    (samples.rating(judged=[{"labeler": "l1", "ratings": {"overall": 1}, "aside": "adjudication"}]), "aside is"),
    (_said(submitted_at="2026-03-01T09:30:00"), "expected a time with its offset"),
    (_said(submitted_at="yesterday"), "judged[0].submitted_at"),
    (samples.rating(judged=[{"labeler": "l1", "ratings": {"overall": 0}}]), "judged[0].ratings.overall is 0"),
    (samples.rating(judged=[{"labeler": "l1", "ratings": {"overall": None}}]), "rates and flags nothing"),
    (samples.prompt_record(messages=[]), "messages has 0 entries"),
    (samples.prompt_record(messages=[{"role": "assistant", "content": "x"}]), "messages ends with the assistant"),
    (samples.prompt_record(messages=[{"role": "robot", "content": "x"}]), 'messages[0].role is "robot"'),
    (samples.prompt_record(text=" \n"), "messages[0].content is empty"),
    (samples.prompt_record(text="a\x00b"), "messages[0].content holds a NUL character"),
    (samples.prompt_record(text=f"a{LONE}b"), "holds half a surrogate pair at 1"),
    (samples.prompt_record(use_case="gossip"), 'use_case is "gossip"; expected one of generation'),
    (samples.prompt_record(split="dev"), 'split is "dev"'),
    (samples.prompt_record(modle="x"), '"modle" is not known here'),
    (samples.prompt_record(record_id=""), "id is empty"),
    (samples.prompt_record(record_id=7), "id is 7; expected text in quotes"),
    (samples.prompt_record(record_id="x" * 201), "id has 201 characters"),
    (samples.prompt_record(record_id="a\nb"), "remove line ends"),
    (samples.prompt_record(type="story"), 'type is "story"'),
    (samples.demonstration(response={"text": "", "labeler": "w"}), "response.text is empty"),
    (samples.demonstration(response={"text": "x", "generator": "m"}), "response.labeler is missing"),
    (samples.demonstration(response={"text": "x"}), "names neither of generator and labeler"),
    (samples.demonstration(response={"text": "x", "labeler": "w", "generator": "m"}), "names both"),
    (samples.demonstration(prompt="hello"), 'prompt is "hello"; expected an object'),
    (samples.comparison(tie="no"), 'tie is "no"; expected true or false'),
    (samples.candidates(responses=[{"text": "x", "generator": "m", "sampling": {"t": float("inf")}}]), "sampling.t"),
    (samples.candidates(responses=[{"id": "a", "text": "x", "generator": "m"}] * 2), 'the id "a" stands there twice'),
    ([1, 2], "the line is [1, 2]; expected an object"),
]


@pytest.mark.parametrize(("members", "sentence"), REFUSED, ids=[sentence for _, sentence in REFUSED])
def test_it_refuses_what_has_no_meaning_and_says_where(members: Any, sentence: str) -> None:
    with pytest.raises(BadRecord) as refused:
        read_record(members)
    assert sentence in str(refused.value)


def test_it_refuses_a_type_that_contradicts_the_kind_said_for_all() -> None:
    with pytest.raises(BadRecord, match="--kind says rating"):
        read_record(samples.prompt_record(), kind=Kind.RATING)


def test_the_words_of_the_format_are_the_words_of_the_tables() -> None:
    assert set(records.USE_CASES) == set(Prompt.UseCase.values)
    assert set(records.STYLES) == set(Prompt.Style.values)
    assert set(records.ORIGINS) == set(Prompt.Origin.values)
    assert set(records.SPLITS) == set(Prompt.Split.values)
    assert set(records.REVIEWS) == set(Response.ReviewState.values)
    assert set(records.VERDICTS) == set(Submission.Verdict.values)
