"""What PostgreSQL writes by itself is, to the byte, what the plain way writes."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from labeling.exporting.copying import LAYOUTS, can_copy, copied
from labeling.exporting.reading import plainly
from labeling.importing import import_file
from labeling.models import Cohort, Project, Response, Submission
from labeling.records import Kind
from labeling.selecting import Selection
from tests.labeling_data import samples
from tests.labeling_data.samples import comparison, prompt, ranking, write

pytestmark = [pytest.mark.django_db, pytest.mark.postgres]

ODD = 'quote " backslash \\ newline \n tab \t bell \x07 del \x7f sep \u2028 null-ish \\u0000 emoji 😀 rtl \u202e é'
RESPONSES = [
    {"id": "a", "text": ODD, "generator": 'm"1', "finish_reason": "length", "token_count": 0,
     "sampling": {"temperature": 1.0, "top_p": 0.95, "eps": 1e-05, "tiny": -2.5e-07, "seed": 7, "on": True, "x": None}},
    {"id": "b", "text": "", "generator": "m2", "token_count": 12},
    {"id": "c", "text": "by a person", "labeler": "w é"},
    {"text": "by a program", "labeler": "bot", "simulated": True, "sampling": {"huge": 9e18, "note": ODD}},
]  # fmt: skip
JUDGED = [
    {"labeler": "l1", "ranks": [1, 1, 2, 3], "order": [2, 0, 1, 3], "note": "kept to all", "active_ms": 7,
     "ratings": [{"overall": 6}, {"overall": 2, "helpful": 3}, {}, {}], "submitted_at": "2026-03-01T09:30:00Z"},
    {"labeler": "l 2", "ranks": [2, None, 1, None], "submitted_at": "2026-03-01T09:30:00.000120+02:00"},
    {"labeler": "nobody", "ranks": [None, None, 1, None]},
    {"labeler": "bot", "simulated": True, "ranks": [4, 3, 2, 1]},
    {"labeler": "late", "ranks": [1, 2, 3, 4], "aside": "surplus"},
    {"labeler": "gone", "ranks": [1, 2, 3, 4], "aside": "withdrawn"},
    {"labeler": "rita", "ranks": [2, 1, 3, 3], "aside": "adjudication", "why": "The second answers what was asked."},
]  # fmt: skip


@pytest.fixture
def filled(project: Project, tmp_path: Path) -> Project:
    chat = [{"role": "system", "content": ODD}, {"role": "user", "content": "Go on?"}]
    lines: list[Any] = [
        ranking("r1", prompt={"messages": chat, "id": "p 1", "consent": "c", "split": "test"}, responses=RESPONSES,
                judged=JUDGED),
        ranking("r2", prompt=prompt("Another?")),
        comparison("c1", prompt=prompt("A third?"), tie=True, strength=0, shown_first="rejected", note="equal",
                   active_ms=0),
        comparison("c2", prompt=prompt("A third?"), strength=2),
        samples.demonstration(),
    ]  # fmt: skip
    report = import_file(project, write(tmp_path / "f", *lines), name="trial")
    assert not report.refused, report.reasons
    Response.objects.filter(external_id="b").update(external_id="", sampling={"job": 3, "token_ids": [1, 2]})
    Submission.objects.filter(assignment__labeler__pseudonym="l1", strength=2).update(active_ms=10**12)
    return project


SELECTIONS = [
    Selection(),
    Selection(simulated=True, surplus=True, withdrawn=True),
    Selection(adjudicated=True),
    Selection(simulated=True, surplus=True, withdrawn=True, adjudicated=True),
    Selection(ties="drop", split="test", simulated=True),
    Selection(ties="both", margin="overall"),
    Selection(margin="ranks", since=datetime(2026, 3, 1, tzinfo=UTC), until=datetime(2026, 3, 1, 9, tzinfo=UTC)),
    Selection(margin="strength", round=1),
]


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("selection", SELECTIONS)
def test_both_ways_write_the_same_bytes(filled: Project, layout: str, selection: Selection) -> None:
    if not can_copy(Kind.COMPARISON, layout):
        pytest.skip("needs PostgreSQL's COPY")
    quick = list(copied(filled, layout, selection))
    plain = list(plainly(filled, Kind.COMPARISON, layout, selection))
    assert b"".join(data for data, _ in quick).split(b"\n") == b"".join(one.data for one in plain).split(b"\n")
    assert sum(rows for _, rows in quick) == sum(one.rows for one in plain)
    assert plain or selection.round == 1


def test_both_leave_out_the_campaign_that_is_kept_for_a_cohort_by_a_rule(filled: Project) -> None:
    if not can_copy(Kind.COMPARISON, "table"):
        pytest.skip("needs PostgreSQL's COPY")
    by_hand = Cohort.objects.create(project=filled, name="By hand")
    filled.campaigns.update(cohort=by_hand)
    named = list(copied(filled, "table", Selection()))
    assert b'"campaign":null' not in named[0][0]
    Cohort.objects.update(rule={"age": ["young"]})
    quick = b"".join(data for data, _ in copied(filled, "table", Selection()))
    plain = b"".join(one.data for one in plainly(filled, Kind.COMPARISON, "table", Selection()))
    assert quick == plain
    assert quick.count(b'"campaign":null') == quick.count(b"\n") > 1


def test_it_is_as_many_rows_as_pairs_however_many_batches(filled: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    from labeling.exporting import copying

    if connection.vendor != "postgresql":
        pytest.skip("needs PostgreSQL's COPY")
    whole = b"".join(data for data, _ in copied(filled, "records", Selection()))
    monkeypatch.setattr(copying, "FIRST_BATCH_ROWS", 1)
    monkeypatch.setattr(copying, "BATCH_ROWS", 1)
    assert b"".join(data for data, _ in copied(filled, "records", Selection())) == whole
