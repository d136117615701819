"""What people said goes out as records: only what counts, each judgment by itself, and the same when it returns."""

from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from labeling import datasets
from labeling.datasets import Selection, lines_of, records_of
from labeling.importing import import_file
from labeling.models import (
    Assignment,
    Campaign,
    ImportedRecord,
    Judgment,
    Labeler,
    Project,
    Prompt,
    Response,
    Submission,
    Task,
)
from labeling.records import Kind, read_record, write_record
from tests.labeling_data import samples
from tests.labeling_data.samples import comparison, prompt, prompt_record, ranking, write

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]

WHOLE = (Kind.PROMPT, Kind.DEMONSTRATION, Kind.CANDIDATES, Kind.RANKING, Kind.RATING)
"""The kinds that together hold all of a project; comparisons are drawn from its rankings."""

JUDGED = [
    {
        "labeler": "l1",
        "ranks": [1, 1, 2],
        "ratings": [{"overall": 6}, {}, {"overall": 2}],
        "flags": [{"opinion": False}, {}, {}],
        "order": [2, 0, 1],
        "note": "close",
        "active_ms": 900,
    },
    {"labeler": "l2", "ranks": [2, 1, None], "submitted_at": "2026-03-01T09:30:00Z"},
    {"labeler": "s1", "simulated": True, "ranks": [3, 2, 1]},
]


@pytest.fixture
def empty(db: None) -> Project:
    return Project.objects.create(name="Empty", slug="empty")


def put(project: Project, path: Path, *lines: Any) -> None:
    report = import_file(project, write(path, *lines), name="trial")
    assert not report.refused, report.reasons


def out(project: Project, kind: Kind, **selection: Any) -> list[dict[str, Any]]:
    return [write_record(record) for record in records_of(project, kind, Selection(**selection))]


@pytest.fixture
def filled(project: Project, tmp_path: Path) -> Project:
    put(
        project,
        tmp_path / "filled",
        prompt_record("p1", "Name a fruit.", use_case="brainstorming", group_key="g", consent="research"),
        prompt_record("p2", "Name a fruit.", group_key="other"),
        samples.demonstration(review="accepted"),
        samples.demonstration("d2", response={"text": "Paris, of course.", "labeler": "w2"}),
        samples.candidates("k1", prompt=prompt("Name a river.")),
        ranking("r1", judged=JUDGED),
        ranking("r2", prompt=prompt("Another?", id="inner", language="de")),
        comparison("c1", prompt=prompt("A third?"), tie=True, strength=0, shown_first="rejected", note="equal"),
        samples.rating(),
    )
    return project


def test_a_project_that_is_exported_and_imported_exports_the_same_records(
    filled: Project, empty: Project, tmp_path: Path
) -> None:
    first = {kind: list(lines_of(filled, kind, Selection(simulated=True))) for kind in WHOLE}
    assert all(first.values())
    for kind in WHOLE:
        path = tmp_path / kind
        path.write_bytes(b"".join(first[kind]))
        report = import_file(empty, path, name="again")
        assert (report.refused, report.unchanged) == (0, 0), report.reasons
    assert {kind: list(lines_of(empty, kind, Selection(simulated=True))) for kind in WHOLE} == first


def test_comparisons_that_are_exported_and_imported_export_the_same_records(
    filled: Project, empty: Project, tmp_path: Path
) -> None:
    first = b"".join(lines_of(filled, Kind.COMPARISON, Selection(simulated=True)))
    path = tmp_path / "comparisons"
    path.write_bytes(first)
    assert not import_file(empty, path, name="again").refused
    assert b"".join(lines_of(empty, Kind.COMPARISON, Selection(simulated=True))) == first


@pytest.mark.parametrize("kind", [Kind.DEMONSTRATION, Kind.CANDIDATES, Kind.RANKING, Kind.RATING, Kind.COMPARISON])
def test_what_a_project_gave_out_is_not_counted_twice_when_it_is_given_back(
    filled: Project, tmp_path: Path, kind: Kind
) -> None:
    before = Submission.objects.count(), Response.objects.count()
    path = tmp_path / "given-back"
    path.write_bytes(b"".join(lines_of(filled, kind)))
    report = import_file(filled, path, name="back", skip_bad=True)
    assert (Submission.objects.count(), Response.objects.count()) == before
    assert report.read.total() == 0
    known = ("came out of this project", "was imported before with other content")
    assert all(any(words in reason for words in known) for _, reason in report.reasons)


def test_what_was_made_here_is_known_by_its_id_when_it_is_given_back(filled: Project, tmp_path: Path) -> None:
    ImportedRecord.objects.filter(kind__in=["ranking", "demonstration"]).delete()
    for kind in (Kind.RANKING, Kind.DEMONSTRATION, Kind.COMPARISON):
        path = tmp_path / kind
        path.write_bytes(b"".join(lines_of(filled, kind)))
        report = import_file(filled, path, name="back", skip_bad=True)
        assert report.read.total() == 0
        assert "came out of this project" in report.reasons[0][1]


def test_every_labelers_ranks_are_there_as_they_were_given(filled: Project) -> None:
    judged = out(filled, Kind.RANKING)[0]["judged"]
    assert [(one["labeler"], one["ranks"]) for one in judged] == [("l1", [1, 1, 2]), ("l2", [2, 1, None])]
    assert {name: judged[0][name] for name in ("ratings", "flags", "order", "note", "active_ms")} == {
        name: JUDGED[0][name] for name in ("ratings", "flags", "order", "note", "active_ms")
    }


def test_simulated_judgments_stay_out_unless_asked_for_and_are_marked(filled: Project) -> None:
    marks = [[one.get("simulated") for one in record["judged"]] for record in out(filled, Kind.RANKING, simulated=True)]
    assert marks[0] == [None, None, True]
    Assignment.objects.exclude(labeler__source="simulated").filter(task__imported_as__external_id="r1").delete()
    assert "r1" not in [record["id"] for record in out(filled, Kind.RANKING)]


def test_comparisons_are_the_pairs_of_each_labelers_order(filled: Project) -> None:
    pairs = [
        (one["labeler"], one["chosen"]["id"], one["rejected"]["id"], one["tie"], one.get("shown_first"))
        for one in out(filled, Kind.COMPARISON)
        if one["id"].startswith("r1:")
    ]
    assert pairs == [
        ("l1", "a", "b", True, "chosen"),
        ("l1", "a", "c", False, "rejected"),
        ("l1", "b", "c", False, "rejected"),
        ("l2", "b", "a", False, None),
    ]


def test_ties_are_dropped_where_that_is_asked_for(filled: Project) -> None:
    kept = out(filled, Kind.COMPARISON)
    dropped = out(filled, Kind.COMPARISON, ties="drop")
    assert [one for one in kept if not one["tie"]] == dropped
    assert len(kept) - len(dropped) == 2


def test_a_comparison_that_came_in_goes_out_under_its_id_with_all_it_said(filled: Project) -> None:
    (one,) = [one for one in out(filled, Kind.COMPARISON) if one["id"] == "c1"]
    assert {name: one[name] for name in ("tie", "strength", "shown_first", "note")} == {
        "tie": True,
        "strength": 0,
        "shown_first": "rejected",
        "note": "equal",
    }


def test_what_was_withdrawn_corrected_or_beyond_the_overlap_stays_out(filled: Project) -> None:
    first, second, _ = Assignment.objects.filter(task__imported_as__external_id="r1").order_by("pk")
    old = first.current_submission
    assert old is not None
    new = Submission.objects.create(
        assignment=first, number=2, key=uuid4(), counted=True, guideline=old.guideline, submitted_at=timezone.now()
    )
    for place, one in enumerate(first.task.shown.all(), start=1):
        Judgment.objects.create(submission=new, response=one.response, rank=place)
    first.current_submission = new
    first.save()
    Submission.objects.filter(assignment=second).update(withdrawn_at=timezone.now() - timedelta(hours=1))
    surplus = Assignment.objects.create(
        task=first.task,
        campaign=first.campaign,
        labeler=Labeler.objects.create(project=filled, pseudonym="l9", source="imported"),
        state=Assignment.State.SUBMITTED,
    )
    surplus.current_submission = Submission.objects.create(
        assignment=surplus, number=1, key=uuid4(), counted=False, guideline=old.guideline, submitted_at=timezone.now()
    )
    surplus.save()
    judged = out(filled, Kind.RANKING)[0]["judged"]
    assert [(one["labeler"], one["ranks"]) for one in judged] == [("l1", [1, 2, 3])]


def test_only_the_split_and_the_campaign_asked_for_go_out(filled: Project) -> None:
    Prompt.objects.update(split="train")
    task = Task.objects.get(imported_as__external_id="r2")
    Prompt.objects.filter(pk=task.prompt_id).update(split="test")
    assert [one["id"] for one in out(filled, Kind.RANKING, split="test")] == ["r2"]
    assert out(filled, Kind.RATING, split="test") == []
    other = Campaign.objects.create(project=filled, name="empty", kind="ranking", guideline=task.campaign.guideline)
    assert out(filled, Kind.RANKING, campaign=other) == []


def test_no_other_projects_records_go_out(filled: Project, empty: Project) -> None:
    assert {kind: out(empty, kind) for kind in Kind} == {kind: [] for kind in Kind}


def test_records_that_go_out_can_be_read(filled: Project) -> None:
    for kind in Kind:
        records = list(records_of(filled, kind, Selection(simulated=True)))
        assert records
        assert [read_record(write_record(record)) for record in records] == records


def test_queries_grow_by_batches_not_by_records(
    filled: Project,
    tmp_path: Path,
    django_assert_max_num_queries: DjangoAssertNumQueries,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    put(filled, tmp_path / "more", *[ranking(f"more{n}", prompt=prompt(f"Question {n}?")) for n in range(40)])
    for kind in Kind:
        with django_assert_max_num_queries(14):  # one of them for the campaigns
            list(records_of(filled, kind))
    whole = out(filled, Kind.RANKING)
    monkeypatch.setattr(datasets, "BATCH_ROWS", 7)
    assert out(filled, Kind.RANKING) == whole
    assert b"".join(lines_of(filled, Kind.RANKING)).count(b"\n") == len(whole)
