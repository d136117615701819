"""Records are imported once, whole files or nothing, and become rows like those that people make here."""

from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from pytest_django import DjangoAssertNumQueries

from labeling import importing
from labeling.importing import EmptyFile, ImportReport, import_file
from labeling.models import (
    Assignment,
    Campaign,
    Generator,
    Guideline,
    ImportedRecord,
    Judgment,
    Labeler,
    Membership,
    Project,
    Prompt,
    Response,
    Submission,
    Task,
    User,
)
from labeling.records import Kind
from tests.labeling_data import samples
from tests.labeling_data.samples import prompt, prompt_record, ranking, write

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]

TABLES = (Prompt, Response, Generator, Labeler, Campaign, Task, Assignment, Submission, Judgment, ImportedRecord)


def taken(project: Project, path: Path, **options: Any) -> ImportReport:
    return import_file(project, path, name="trial", **options)


def counts() -> list[int]:
    return [table._default_manager.count() for table in TABLES]


@pytest.fixture
def mixed(tmp_path: Path) -> Path:
    return write(
        tmp_path / "mixed.jsonl.gz",
        prompt_record("p1", "Name a fruit."),
        samples.demonstration(),
        samples.candidates("k1", prompt=prompt("Name a river.")),
        ranking(),
        samples.comparison(),
        samples.rating(),
        packed=True,
    )


def test_a_second_run_writes_nothing(project: Project, mixed: Path) -> None:
    first = taken(project, mixed)
    assert (first.read.total(), first.unchanged) == (6, 0)
    before = counts()
    again = taken(project, mixed)
    assert (again.read.total(), again.unchanged, again.new.total()) == (6, 6, 0)
    assert counts() == before


def test_the_same_id_with_other_content_is_refused_by_name(project: Project, tmp_path: Path) -> None:
    taken(project, write(tmp_path / "a", prompt_record("p1")))
    report = taken(project, write(tmp_path / "b", prompt_record("p2", "other"), prompt_record("p1", "changed")))
    assert [number for number, _ in report.reasons] == [2]
    assert "the prompt id 'p1' was imported before with other content" in report.reasons[0][1]
    assert Prompt.objects.count() == 1


def test_the_same_id_twice_in_a_file_is_the_same_record_or_refused(project: Project, tmp_path: Path) -> None:
    report = taken(project, write(tmp_path / "a", prompt_record(), prompt_record(), prompt_record(text="other")))
    assert (report.unchanged, report.refused, report.reasons[0][0]) == (1, 1, 3)


def test_one_bad_line_and_nothing_of_the_file_is_written(project: Project, tmp_path: Path) -> None:
    path = write(tmp_path / "f", prompt_record("p1"), b"{}", prompt_record("p2", "two"), ranking(ranks=[0, 1, 2]))
    report = taken(project, path)
    assert not report.written
    assert [number for number, _ in report.reasons] == [2, 4]
    assert counts() == [0] * len(TABLES)


def test_the_rest_is_taken_where_that_is_asked_for(project: Project, tmp_path: Path) -> None:
    path = write(tmp_path / "f", prompt_record("p1"), b"{}", prompt_record("p2", "two"))
    report = taken(project, path, skip_bad=True)
    assert (report.written, report.refused) == (True, 1)
    assert list(Prompt.objects.order_by("pk").values_list("external_id", flat=True)) == ["p1", "p2"]


def test_of_many_bad_lines_the_first_twenty_are_named_and_all_counted(project: Project, tmp_path: Path) -> None:
    report = taken(project, write(tmp_path / "f", *[b"{}"] * 30))
    assert (report.refused, [number for number, _ in report.reasons]) == (30, list(range(1, 21)))


def test_a_file_without_records_is_refused(project: Project, tmp_path: Path) -> None:
    with pytest.raises(EmptyFile, match="holds no records"):
        taken(project, write(tmp_path / "f", b"", b"  "))


def test_a_ranking_becomes_rows_like_those_made_here(project: Project, tmp_path: Path) -> None:
    judged = [
        {"labeler": "l1", "ranks": [1, 1, 3], "order": [2, 0, 1], "submitted_at": "2026-03-01T09:30:00Z"},
        {"labeler": "l2", "ranks": [3, 1, None], "ratings": [{"overall": 2}, None, None]},
    ]
    report = taken(project, write(tmp_path / "f", ranking(judged=judged)))
    assert report.gaps == 2
    task = Task.objects.get()
    assert (task.campaign.imported, task.campaign.state, task.campaign.kind) == (True, "closed", "ranking")
    assert (task.overlap, task.open_slots, task.campaign.overlap) == (2, 0, 2)
    texts = [one.response.text for one in task.shown.all()]
    assert texts == ["Paris.", "It is Paris.", "Rome."]
    first, second = Assignment.objects.order_by("pk")
    assert [first.labeler.pseudonym, first.labeler.source, first.state] == ["l1", "imported", "submitted"]
    places = [one.response_id for one in task.shown.all()]
    assert first.order == [places[2], places[0], places[1]]
    assert first.current_submission is not None
    assert first.current_submission.counted
    assert first.current_submission.submitted_at.isoformat() == "2026-03-01T09:30:00+00:00"
    said = {one.response.text: one.rank for one in first.current_submission.judgments.all()}
    assert said == {"Paris.": 1, "It is Paris.": 1, "Rome.": 2}
    assert second.current_submission is not None
    ranks = {one.response.text: (one.rank, one.ratings) for one in second.current_submission.judgments.all()}
    assert ranks == {"Paris.": (2, {"overall": 2}), "It is Paris.": (1, {}), "Rome.": (None, {})}
    assert Generator.objects.filter(kind="external").count() == 2


def test_imported_work_is_done_by_no_published_guideline(project: Project, mixed: Path) -> None:
    taken(project, mixed)
    assert set(Guideline.objects.values_list("kind", "published_at")) == {("ranking", None), ("rating", None)}


def test_the_same_response_is_one_row_for_all_records(project: Project, tmp_path: Path) -> None:
    answers = [{"text": "Paris.", "generator": "m1"}, {"text": "Rome.", "generator": "m2"}]
    twins = [{"text": "Paris.", "generator": "m1"}, {"text": "Paris.", "generator": "m1"}]
    taken(project, write(tmp_path / "f", samples.comparison("c1"), samples.candidates("k1", responses=answers)))
    taken(project, write(tmp_path / "g", samples.candidates("k2", responses=twins)))
    assert Response.objects.count() == 3
    shown = Task.objects.get(imported_as__external_id="k2").shown.values_list("response_id", flat=True)
    assert len(set(shown)) == 2


def test_an_id_finds_its_response_before_the_same_words_without_one_do(project: Project, tmp_path: Path) -> None:
    there = {"id": "x", "text": "Paris.", "generator": "m1"}
    import_file(project, write(tmp_path / "f", samples.candidates("k1", responses=[there])), name="trial")
    twice = samples.candidates("k2", responses=[{"text": "Paris.", "generator": "m1"}, there])
    report = import_file(project, write(tmp_path / "g", twice), name="trial")
    assert (report.refused, report.new["responses"]) == (0, 1)
    shown = Task.objects.latest("pk").shown.order_by("place")
    assert [one.response.external_id for one in shown] == ["", "x"]


def test_exact_duplicates_of_prompts_merge_and_the_first_group_decides(project: Project, tmp_path: Path) -> None:
    lines = [prompt_record(f"p{n}", "the same", group_key=f"g{n}") for n in range(3)]
    report = taken(project, write(tmp_path / "f", *lines))
    assert (report.merged, report.new["prompts"]) == (2, 1)
    assert Prompt.objects.get().group_key == "g0"
    assert ImportedRecord.objects.count() == 3


def test_a_persons_text_that_came_to_be_judged_is_no_demonstration(project: Project, tmp_path: Path) -> None:
    answers = [{"text": "Paris.", "labeler": "w1"}, {"text": "Rome.", "generator": "m"}]
    taken(project, write(tmp_path / "f", samples.candidates(responses=answers)))
    assert Response.objects.get(labeler__isnull=False).judged_only
    taken(project, write(tmp_path / "g", samples.demonstration(review="accepted")))
    response = Response.objects.get(labeler__isnull=False)
    assert (response.judged_only, response.review_state) == (False, "accepted")


def test_simulated_labelers_are_marked(project: Project, tmp_path: Path) -> None:
    judged = [{"labeler": "s1", "simulated": True, "ranks": [1, 2, 3]}, {"labeler": "l1", "ranks": [1, 2, 3]}]
    taken(project, write(tmp_path / "f", ranking(judged=judged)))
    assert set(Labeler.objects.values_list("pseudonym", "source")) == {("s1", "simulated"), ("l1", "imported")}


def test_it_refuses_to_speak_for_a_member(project: Project, labeler: User, tmp_path: Path) -> None:
    membership = Membership.objects.get(user=labeler)
    Labeler.objects.create(project=project, membership=membership, pseudonym="l1", source=Labeler.Source.MEMBER)
    report = taken(project, write(tmp_path / "f", ranking()))
    assert "'l1' is a member of this project" in report.reasons[0][1]
    assert counts()[0] == 0


def test_it_refuses_a_labeler_who_is_simulated_in_one_place_only(project: Project, tmp_path: Path) -> None:
    simulated = ranking("r2", judged=[{"labeler": "l1", "simulated": True, "ranks": [1, 2, 3]}])
    report = taken(project, write(tmp_path / "f", ranking("r1"), simulated), skip_bad=True)
    assert "'l1' is simulated here and imported in the project" in report.reasons[0][1]


def test_it_refuses_an_id_that_means_another_text(project: Project, tmp_path: Path) -> None:
    other = ranking("r2", responses=[{"id": "a", "text": "Lyon.", "generator": "m1"}, *ranking()["responses"][1:]])
    inner = samples.rating("q2", prompt=prompt("Another question?", id="p1"))
    lines = [prompt_record("p1"), ranking("r1"), other, inner]
    report = taken(project, write(tmp_path / "f", *lines))
    assert [number for number, _ in report.reasons] == [3, 4]
    assert "the response id 'a' is the id of another response" in report.reasons[0][1]
    assert "the prompt id 'p1' is the id of another text" in report.reasons[1][1]


def test_it_refuses_the_id_of_a_prompt_that_merged_for_another_text(project: Project, tmp_path: Path) -> None:
    same = write(tmp_path / "f", prompt_record("A", "same"), prompt_record("B", "same"))
    assert import_file(project, same, name="trial").merged == 1
    other = samples.demonstration(prompt=prompt("other", id="B"))
    report = import_file(project, write(tmp_path / "g", other), name="trial")
    assert "'B' is the id of another text" in report.reasons[0][1]
    named = samples.demonstration(prompt=prompt("same", id="B"))
    assert import_file(project, write(tmp_path / "h", named), name="trial").written


def test_what_seems_to_be_personal_data_is_flagged_and_kept(project: Project, tmp_path: Path) -> None:
    lines = [prompt_record("p1", "Write to ann@example.org or 555-123-4567."), prompt_record("p2", "No 3.14 here")]
    report = taken(project, write(tmp_path / "f", *lines))
    assert report.personal_data == {"email": 1, "phone": 1}
    assert Prompt.objects.get(external_id="p1").personal_data == ["email", "phone"]
    assert Prompt.objects.get(external_id="p2").personal_data == []


def test_queries_do_not_grow_with_the_records(
    project: Project, tmp_path: Path, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    lines = [ranking(f"r{n}", prompt=prompt(f"Question {n}?")) for n in range(60)]
    path = write(tmp_path / "f", *lines)
    with django_assert_max_num_queries(40):
        taken(project, path)
    assert Judgment.objects.count() == 180


def test_batches_of_one_import_know_of_each_other(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "BATCH_RECORDS", 2)
    lines = [ranking(f"r{n}", prompt=prompt(f"Question {n % 3}?", group_key="g")) for n in range(7)]
    report = taken(project, write(tmp_path / "f", *lines, prompt_record("p", "Question 0?")))
    assert (report.new["prompts"], report.new["responses"], report.new["tasks"], report.merged) == (3, 9, 7, 1)
    assert report.new["labelers"] == 1
    assert list(Task.objects.values_list("position", flat=True)) == list(range(7))


def test_a_campaign_of_that_name_with_other_work_is_left_alone(
    project: Project, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    guideline = Guideline.objects.create(project=project, kind="ranking", version=1, body="")
    name = "imported rankings: f"
    Campaign.objects.create(project=project, name=name, kind="ranking", guideline=guideline)
    path = write(tmp_path / "f.jsonl", ranking())
    with pytest.raises(CommandError):
        call_command("import_records", project.slug, str(path))
    assert "holds other work; give another --name" in capsys.readouterr().err
    assert Prompt.objects.count() == 0


def test_the_command_says_what_became_of_the_file(
    project: Project, mixed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call_command("import_records", project.slug, str(mixed))
    assert "6 records (1 candidates, 1 comparison, 1 demonstration, 1 prompt, 1 ranking, 1 rating)" in (
        capsys.readouterr().out
    )
    call_command("import_records", project.slug, str(mixed))
    assert "all of them were imported before; nothing was written" in capsys.readouterr().out
    assert Campaign.objects.filter(name="imported rankings: mixed").exists()


def test_the_command_fails_where_something_was_refused_and_names_it(
    project: Project, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good, bad = write(tmp_path / "good", prompt_record()), write(tmp_path / "bad", b"{}", prompt_record("p9", "nine"))
    with pytest.raises(CommandError, match="bad"):
        call_command("import_records", project.slug, str(good), str(bad), str(tmp_path / "missing"))
    said = capsys.readouterr().err
    assert "line 1: type is missing" in said
    assert "Nothing of the file was imported" in said
    assert "missing cannot be read" in said
    assert Prompt.objects.count() == 1
    with pytest.raises(CommandError, match="bad"):
        call_command("import_records", project.slug, str(bad), "--skip-bad")
    assert Prompt.objects.count() == 2


def test_the_command_refuses_a_project_that_is_not_there(db: None, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="There is no project 'nowhere'"):
        call_command("import_records", "nowhere", str(write(tmp_path / "f", prompt_record())))


def test_records_without_a_type_take_the_kind_of_the_command(project: Project, tmp_path: Path) -> None:
    members = prompt_record()
    del members["type"]
    call_command("import_records", project.slug, str(write(tmp_path / "f", members)), "--kind", Kind.PROMPT)
    assert Prompt.objects.count() == 1


def test_the_job_that_sampled_a_response_elsewhere_is_not_taken_for_one_here(project: Project, tmp_path: Path) -> None:
    """Pages and tasks find what a job wrote by its number."""
    record = samples.candidates("k1", prompt=prompt("Name a river."))
    record["responses"][0]["sampling"] = {"job": 1, "temperature": 0.5}
    taken(project, write(tmp_path / "candidates.jsonl", record))
    assert not Response.objects.filter(sampling__has_key="job").exists()
    assert Response.objects.get(text=record["responses"][0]["text"]).sampling == {"temperature": 0.5}
