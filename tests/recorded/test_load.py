"""Recorded rounds, loaded: they show what the rounds themselves showed, and nothing of them runs."""

import gzip
import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.urls import reverse

from labeling.models import Assignment, Campaign, Judgment, Project, Response, Submission, User
from tests.conftest import make_member, signed_in
from tests.labeling.work import recounted_slots
from tests.recorded.conftest import Recorded
from tests.recorded.pages import everything_shown, other_pages, shown
from training.errors import RecordingRefused
from training.models import Checkpoint, Job, Metric, Round
from training.recorded.loading import SLUG, load_recorded_rehearsal
from training.run_folders import run_folder
from training.snapshots import path_of

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]

SAID_OF_A_RECORDED_ROUND = re.compile(
    r"Recorded\.|recorded$|manage\.py (start|rehearse)|not on this machine|^Opened|closed|240 of 245|^4 labelers order"
    r"|4 of 5 sub|of 60 tasks are|4 of 5 submitted"
)
"""Where its pages differ: it is marked as recorded, and what a person ranked by hand is not in it."""


# --- what it shows ----------------------------------------------------------------------------------------------------


def test_every_page_shows_what_it_showed_where_the_rounds_were_run(
    recorded: Recorded, loaded: Project, rita: User
) -> None:
    pages = everything_shown(loaded, rita)
    assert len(pages) == 32
    assert set(pages) <= set(recorded.shown)
    for name, pieces in pages.items():
        if name == "prompt of task 0 of Round 2: rank":
            continue  # what was ranked by hand is missing from each of its lines
        new = Counter(pieces) - Counter(recorded.shown[name])
        assert [piece for piece in new if not SAID_OF_A_RECORDED_ROUND.search(piece)] == [], name


def test_the_evaluation_finds_the_same_to_the_last_digit(recorded: Recorded, loaded: Project, rita: User) -> None:
    name = "evaluation of round 2"
    pieces = everything_shown(loaded, rita)[name]
    was = recorded.shown[name]
    assert [piece for piece in pieces if not SAID_OF_A_RECORDED_ROUND.search(piece)] == was
    assert re.search(r"[0-9]", was[0])


def test_it_says_that_simulated_labelers_ranked_and_rated(loaded: Project, rita: User) -> None:
    pages = {
        kind: signed_in(rita).get(f"/projects/{SLUG}/rounds/2/?stage={kind}").content.decode()
        for kind in ("rank", "evaluate")
    }
    assert "Rank, by simulated labelers" in pages["rank"]
    assert "Simulated labelers rated the answers in the campaign" in pages["evaluate"]


def test_the_lists_of_the_console_are_there_too(loaded: Project, rita: User) -> None:
    for address in other_pages(loaded):
        assert shown(signed_in(rita), address), address


def test_every_task_has_all_that_was_said_of_it(loaded: Project) -> None:
    ranked = Judgment.objects.filter(submission__assignment__campaign__kind="ranking")
    assert ranked.count() == 60 * 4 * 4
    for submission in Submission.objects.select_related("assignment__task"):
        judged = set(submission.judgments.values_list("response", flat=True))
        assert judged == set(submission.assignment.order)
        assert judged <= set(submission.assignment.task.responses.values_list("pk", flat=True))
        assert submission.assignment.current_submission_id == submission.pk
    assert Assignment.objects.values("uuid").distinct().count() == Assignment.objects.count()


def test_slots_and_figures_agree_with_what_is_in(loaded: Project) -> None:
    for campaign in loaded.campaigns.all():
        assert campaign.state == Campaign.State.CLOSED
        assert all(task.open_slots == recounted_slots(task) for task in campaign.tasks.all())


def test_numbers_within_settings_and_reports_are_those_of_this_database(loaded: Project) -> None:
    evaluate = Job.objects.get(project=loaded, stage__kind="evaluate")
    campaign = loaded.campaigns.get(kind="rating")
    assert evaluate.report is not None
    assert evaluate.report["rating"]["campaign"] == campaign.pk
    assert evaluate.asks["guideline"] == campaign.guideline_id
    assert evaluate.config["job"] == str(evaluate.pk)
    assert Response.objects.filter(prompt__project=loaded, sampling__job=evaluate.pk).count() == 12 * 3
    base = Checkpoint.objects.get(project=loaded, kind="base")
    assert loaded.rounds.get(number=2).recipe["base"] == base.pk
    frozen = Job.objects.get(project=loaded, stage__kind="reward").inputs.get(role="rankings_train").snapshot
    assert frozen is not None
    assert frozen.query["campaigns"] == [loaded.campaigns.get(kind="ranking").pk]


def test_times_are_those_of_the_run(recorded: Recorded, loaded: Project) -> None:
    for job in Job.objects.filter(project=loaded):
        assert job.started_at is not None
        assert job.finished_at is not None
        assert (job.finished_at - job.started_at).total_seconds() == 90
        assert job.created_at <= job.finished_at


def test_rollouts_can_be_read_step_by_step(loaded: Project, rita: User) -> None:
    page = reverse("round", args=[SLUG, 2])
    text = signed_in(rita).get(f"{page}?stage=ppo&step=6").content.decode()
    assert "Mint, 6." in text
    assert "Mint, 9." not in text


def test_the_first_people_get_their_roles_and_a_stranger_learns_nothing(
    recorded: Recorded, rita: User, stranger: User
) -> None:
    lars = User.objects.create_user(username="lars")
    project = load_recorded_rehearsal([(rita, "owner"), (lars, "labeler")], path=recorded.file)
    assert dict(project.memberships.values_list("user__username", "role")) == {"rita": "owner", "lars": "labeler"}
    assert signed_in(stranger).get(reverse("round", args=[SLUG, 2])).status_code == 404
    assert signed_in(lars).get(reverse("round", args=[SLUG, 2])).status_code == 403
    assert signed_in(lars).get(reverse("queue", args=[SLUG])).status_code == 200


def test_the_home_page_says_what_it_is_in_a_sentence(loaded: Project, rita: User) -> None:
    make_member(Project.objects.get(slug="other"), "otto", "owner")
    text = signed_in(rita).get("/?all").content.decode()
    assert "watch people’s tastes turn into a model. Nothing runs here." in text


# --- loading ----------------------------------------------------------------------------------------------------------


def test_loading_twice_changes_nothing(recorded: Recorded, loaded: Project, rita: User) -> None:
    def counts() -> list[int]:
        return [model.objects.count() for model in (Project, Round, Job, Metric, Response, Judgment)]

    before = counts()
    assert load_recorded_rehearsal([(rita, "owner")], path=recorded.file) == loaded
    assert counts() == before


def rewritten(file: Path, change: Callable[[list[dict[str, Any]]], None]) -> bytes:
    """The file with other lines, and a header that vouches for them."""
    lines = [json.loads(line) for line in gzip.decompress(file.read_bytes()).splitlines()]
    change(lines)
    body = "".join(json.dumps(line) + "\n" for line in lines[1:]).encode()
    header = lines[0] | {"sha256": hashlib.sha256(body).hexdigest()}
    return gzip.compress(json.dumps(header).encode() + b"\n" + body)


def table(lines: list[dict[str, Any]], name: str) -> dict[str, Any]:
    return next(line["columns"] for line in lines if line.get("table") == name)


def a_link_to_nowhere(lines: list[dict[str, Any]]) -> None:
    table(lines, "judgment")["response"] = {"same": 10**6}


def two_of_one_name(lines: list[dict[str, Any]]) -> None:
    table(lines, "labeler")["pseudonym"] = {"same": "one"}


def a_text_for_a_number(lines: list[dict[str, Any]]) -> None:
    table(lines, "round")["number"] = {"all": ["first", "second"]}


def a_table_less(lines: list[dict[str, Any]]) -> None:
    lines[:] = [line for line in lines if line.get("table") != "task"]


def a_column_less(lines: list[dict[str, Any]]) -> None:
    del table(lines, "response")["text"]


def a_newer_version(lines: list[dict[str, Any]]) -> None:
    lines[0]["version"] = 2


BROKEN: dict[str, tuple[Callable[[Path], bytes], str]] = {
    "cut": (lambda file: file.read_bytes()[:-500], "cannot be read"),
    "no gzip": (lambda file: b"rounds", "cannot be read"),
    "something else": (lambda file: gzip.compress(b'{"format": "other"}\n'), "holds no recorded rounds"),
    "a list": (lambda file: gzip.compress(b"[]\n"), "holds no recorded rounds"),
    "changed": (lambda file: gzip.compress(gzip.decompress(file.read_bytes()) + b"{}\n"), "was changed"),
    "newer": (lambda file: rewritten(file, a_newer_version), "is of version 2; this Accord reads version 1"),
    "a link to nowhere": (lambda file: rewritten(file, a_link_to_nowhere), "no response in place 1000000"),
    "two of one name": (lambda file: rewritten(file, two_of_one_name), "cannot be loaded"),
    "a text for a number": (lambda file: rewritten(file, a_text_for_a_number), "cannot be loaded"),
    "a table less": (lambda file: rewritten(file, a_table_less), "cannot be loaded"),
    "a column less": (lambda file: rewritten(file, a_column_less), "cannot be loaded"),
}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_is_refused_in_a_sentence_and_nothing_is_written(
    name: str, recorded: Recorded, tmp_path: Path
) -> None:
    make, sentence = BROKEN[name]
    file = tmp_path / "broken.gz"
    file.write_bytes(make(recorded.file))
    with pytest.raises(CommandError, match=sentence):
        call_command("load_recorded", file=file)
    assert not Project.objects.filter(slug=SLUG).exists()
    assert not Job.objects.exists()
    assert not list(Path(settings.RUNS_DIR).glob("*"))


def test_a_file_that_is_not_there_is_refused(db: None, tmp_path: Path) -> None:
    with pytest.raises(RecordingRefused, match="There is no file"):
        load_recorded_rehearsal([], path=tmp_path / "nowhere.gz")


@pytest.mark.django_db(transaction=True)
def test_where_the_folders_cannot_be_written_nothing_is_loaded(recorded: Recorded, tmp_path: Path) -> None:
    settings.RUNS_DIR.write_text("a file where the folder should be")
    with pytest.raises(RecordingRefused, match="folders cannot be written"):
        load_recorded_rehearsal([], path=recorded.file)
    assert not Project.objects.filter(slug=SLUG).exists()


def test_rows_made_afterwards_get_numbers_of_their_own(loaded: Project) -> None:
    newest = Job.objects.latest("pk").pk
    assert Job.objects.create(project=loaded, kind="sft", config={}).pk > newest


def test_weights_and_frozen_files_are_not_there(loaded: Project) -> None:
    for job in Job.objects.filter(project=loaded):
        assert not run_folder(job).config.exists()
        assert not run_folder(job).model.exists()
        assert not any(path_of(one.snapshot).exists() for one in job.inputs.all() if one.snapshot)


def test_the_rounds_that_come_with_accord_load(db: None) -> None:
    call_command("load_recorded")
    project = Project.objects.get(slug=SLUG)
    assert project.simulated
    assert list(project.rounds.order_by("number").values_list("number", flat=True)) == [1, 2, 3, 4]
    assert not project.rounds.filter(recorded="").exists()
