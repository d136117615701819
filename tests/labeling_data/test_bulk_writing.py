"""Rows that are written by COPY are the rows that an INSERT writes."""

from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.db.models import Model

from labeling import bulk_writing
from labeling.bulk_writing import write_all, write_unless_there
from labeling.exporting.asked import read_asked
from labeling.exporting.streaming import Stream
from labeling.importing import import_file
from labeling.models import Assignment, Generator, Judgment, Project, Prompt, Response, Submission, Task
from labeling.records import Kind
from tests.labeling_data import samples
from tests.labeling_data.samples import comparison, prompt, prompt_record, ranking, write

pytestmark = [pytest.mark.django_db, pytest.mark.postgres]

OF: dict[type[Model], str] = {
    Prompt: "project",
    Response: "prompt__project",
    Task: "campaign__project",
    Assignment: "campaign__project",
    Submission: "assignment__campaign__project",
    Judgment: "submission__assignment__campaign__project",
}
OWN = {"id", "created_at", "uuid", "key", "lease_token", "seed", "order"}
"""Of each row alone; the order shown is of keys."""


def a_prompt(project: Project, text: str) -> Prompt:
    messages = [{"role": "user", "content": text}]
    return Prompt(project=project, messages=messages, origin="import", group_key=text, split="train", fingerprint=text)


def rows_of(project: Project, path: Path) -> dict[str, list[dict[str, Any]]]:
    """Everything that an import wrote, without what each row has alone, and keys of others."""
    judged = [
        {"labeler": "l1", "ranks": [1, 1, 2], "notes": ["a\tb\\n", "", "é\n"], "order": [2, 0, 1]},
        {"labeler": "l2", "ranks": [3, None, 1], "flags": [{"rude": True}, {}, {}]},
        {"labeler": "late", "ranks": [1, 2, 3], "aside": "surplus"},
    ]
    lines = [
        prompt_record(consent="research"), samples.demonstration(), samples.candidates(prompt=prompt("Name a river.")),
        ranking("r1", judged=judged), comparison("c1", prompt=prompt("\\N"), tie=True), samples.rating(),
    ]  # fmt: skip
    assert not import_file(project, write(path, *lines), name="trial").refused
    found = {}
    for model in OF:
        plain = [
            field.attname
            for field in model._meta.local_concrete_fields
            if not field.is_relation and field.name not in OWN
        ]
        found[model.__name__] = list(
            model._default_manager.filter(**{OF[model]: project}).order_by("pk").values(*plain)
        )
    return found


def test_what_an_import_copies_is_what_it_would_have_inserted(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk_writing, "FEW", 10**9)
    inserted = rows_of(project, tmp_path / "f")
    again = Project.objects.create(name="Again", slug="again")
    monkeypatch.setattr(bulk_writing, "FEW", 1)
    copied = rows_of(again, tmp_path / "f")
    for times in (inserted, copied):
        for row in times["Submission"]:
            row["submitted_at"] = None  # of most lines the moment of the import
    assert copied == inserted
    assert len(copied["Judgment"]) == 12
    first, second = (b"".join(Stream(read_asked(one, Kind.RANKING, {"surplus": "true"}))) for one in (project, again))
    assert second.count(b'"late"') == 1
    assert b'"order":[2,0,1]' in second
    assert len(first.splitlines()) == len(second.splitlines()) == 2


def test_of_rows_some_of_which_are_there_the_others_are_written_and_answered(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk_writing, "FEW", 1)
    write_all([a_prompt(project, "one")])
    rows = [a_prompt(project, text) for text in ("one", "two", "three")]
    written = write_unless_there(rows, unique="fingerprint")
    assert [row.fingerprint for row in written] == ["two", "three"]
    assert [(row.pk, row.messages) for row in Prompt.objects.order_by("pk")][1:] == [
        (row.pk, row.messages) for row in written
    ]
    assert written[0].created_at is not None
    assert write_unless_there([a_prompt(project, "two")], unique="fingerprint") == []
    assert Prompt.objects.count() == 3


def test_what_it_points_to_may_be_written_after_it_was_made(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk_writing, "FEW", 1)
    asked = a_prompt(project, "one")
    writer = Generator(project=project, name="sft", kind="sft")
    response = Response(
        prompt=asked, generator=writer, text="Yes\\.\x7f\r\n", sampling={"temperature": 1.0, "stop": ["\\"]}
    )
    for row in (asked, writer, response):
        write_all([row])
    response.refresh_from_db()
    assert (response.prompt_id, response.text) == (asked.pk, "Yes\\.\x7f\r\n")
    assert response.sampling == {"temperature": 1.0, "stop": ["\\"]}
    connection.check_constraints()
