"""A rehearsal is recorded: its finished rounds, in a file that says nothing of people or of this machine."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from labeling.models import Project, WorkKind
from tests.recorded.conftest import NOTE, REMARK, Recorded
from training.errors import RecordingRefused
from training.founding import VILLAGERS
from training.models import Job, Metric, Round, Stage
from training.recorded.choosing import MOST_POINTS, evenly, points_kept
from training.recorded.files import RECORDED, Recording, read_recording
from training.recorded.recording import check_it_names_no_place, record_rehearsal

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]

MOST_BYTES = 1_500_000


def lines_of(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in gzip.decompress(file.read_bytes()).splitlines()]


def test_the_same_rounds_give_the_same_bytes(recorded: Recorded) -> None:
    assert recorded.file.read_bytes() == recorded.again.read_bytes()


def test_the_header_says_what_made_it_where_and_how_long_it_took(recorded: Recorded) -> None:
    header = lines_of(recorded.file)[0]
    assert header["machine"] == NOTE
    assert [one["command"] for one in header["rounds"]] == [
        "python manage.py start",
        "python manage.py rehearse rehearsal --prompts 60 --by-hand 5",
    ]
    assert header["rounds"][1]["seconds"] == dict.fromkeys(["sft", "sample", "reward", "ppo", "evaluate"], 90.0)
    assert header["thinned"]


def test_every_ranking_and_rating_is_there_and_a_round_that_is_not_finished_is_not(recorded: Recorded) -> None:
    recording = read_recording(recorded.file)
    assert recording.tables["round"]["number"] == [1, 2]
    assert recording.rows("submission") == 60 * 4 + 12 * 3 * len(VILLAGERS[WorkKind.RATING])
    assert recording.rows("judgment") == 60 * 4 * 4 + 12 * 3 * len(VILLAGERS[WorkKind.RATING])
    assert all(rank in (1, 2, 3, 4) for rank in recording.tables["judgment"]["rank"][: 60 * 4 * 4])


def test_nothing_that_a_person_said_is_in_it(recorded: Recorded) -> None:
    text = gzip.decompress(recorded.file.read_bytes()).decode()
    assert REMARK not in text
    assert "rita" not in text
    assert set(read_recording(recorded.file).tables["labeler"]["source"]) == {"simulated"}


def test_there_are_no_token_ids_and_no_weights_in_it(recorded: Recorded) -> None:
    assert not any("token_ids" in sampling for sampling in read_recording(recorded.file).tables["response"]["sampling"])


def test_links_are_places_in_their_tables(recorded: Recorded) -> None:
    recording = read_recording(recorded.file)
    for column, table in (("prompt", "prompt"), ("generator", "generator"), ("labeler", "labeler")):
        places = {place for place in recording.tables["response"][column] if place is not None}
        assert places <= set(range(recording.rows(table)))


def test_a_long_curve_keeps_its_first_and_its_last_point(db: None, project: Project) -> None:
    job = Job.objects.create(project=project, kind="sft", config={})
    Metric.objects.bulk_create(Metric(job=job, step=step, values={"loss": 1.0}) for step in range(1000))
    Metric.objects.create(job=job, step=999, split="valid", values={"loss": 1.0})
    kept = list(Metric.objects.filter(pk__in=points_kept([job.pk]), split="train").values_list("step", flat=True))
    assert len(kept) == MOST_POINTS
    assert kept == sorted(set(kept))
    assert (kept[0], kept[-1]) == (0, 999)
    assert len(list(points_kept([job.pk]))) == MOST_POINTS + 1
    assert evenly([1, 2, 3], 3) == [1, 2, 3]


def test_a_project_of_people_is_not_recorded(project: Project, tmp_path: Path) -> None:
    with pytest.raises(RecordingRefused, match="Helpdesk is no rehearsal"):
        record_rehearsal(project, tmp_path / "x.gz", note=NOTE)


def test_without_a_finished_round_nothing_is_written(project: Project, tmp_path: Path) -> None:
    Project.objects.update(simulated=True)
    round_ = Round.objects.create(project=project, number=1, recipe={})
    Stage.objects.create(round=round_, kind="pretrain", place=0)
    with pytest.raises(CommandError, match="No round of Helpdesk is finished"):
        call_command("record_rehearsal", project="helpdesk", write=tmp_path / "x.gz")
    assert not list(tmp_path.glob("*.gz"))


def test_a_place_on_this_machine_is_not_recorded(settings: Any) -> None:
    told = Recording({"machine": f"see {settings.RUNS_DIR}/3"}, {}, {})
    with pytest.raises(RecordingRefused, match="name this machine"):
        check_it_names_no_place(told)


def test_the_rounds_that_come_with_accord_are_small_and_of_the_full_recipe() -> None:
    assert RECORDED.stat().st_size < MOST_BYTES
    recording = read_recording(RECORDED)
    assert recording.tables["round"]["number"] == [1, 2, 3, 4]
    assert recording.rows("judgment") > 30_000
    assert set(recording.tables["labeler"]["source"]) == {"simulated"}
