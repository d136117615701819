"""On request a person's words go: from rows, snapshots, run folders and exports; what learned from them is named."""

import json
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command
from django.utils import timezone
from pytest_django import Settings

from labeling.assigning import labeler_of
from labeling.checking import Work
from labeling.intake import fingerprint
from labeling.models import (
    AuditEntry,
    AuditKind,
    Background,
    Export,
    Labeler,
    Membership,
    Project,
    Prompt,
    Response,
    Submission,
    Task,
    User,
)
from labeling.recounting import drifted
from tests.conftest import signed_in
from tests.labeling.work import make_campaign, must_claim, submit_now, written
from training import jobs
from training.erasing import ErasureRefused, erase
from training.errors import JobRefused
from training.models import Checkpoint, Erasure, Job, JobInput, Snapshot
from training.rlhf.contract.run_folder import file_sha256
from training.snapshot_rows import Query
from training.snapshots import freeze, path_of

pytestmark = pytest.mark.django_db(transaction=True)

WORDS = "My grandmother in Bergen made this every Sunday."
ASKED = "How do I write to my landlord in Trondheim about the heating?"
OTHERS = "Somebody else answers this, at some length."


class World:
    """lars wrote a demonstration and a prompt, mia a demonstration; a job learned from both, a later one from it."""

    def __init__(self, project: Project, lars: User, mia: User, folder: Path) -> None:
        self.project = project
        answers = make_campaign(project, kind="demonstration", tasks=2)
        self.labeler = self._write(answers, lars, WORDS)
        self.other = self._write(answers, mia, OTHERS)
        prompts = make_campaign(project, kind="prompt", quota=9)
        submit_now(must_claim(prompts, self.labeler), written(ASKED))
        Prompt.objects.update(split="train")
        Background.objects.create(labeler=self.labeler, answers={}, consent="yes", consented_at=answers.created_at)
        self.snapshot = freeze(project, Query(kind="demonstrations"))
        self.asked = freeze(project, Query(kind="prompts"))
        self.job = Job.objects.create(project=project, kind="sft", config={}, state="done")
        for role, one in (("data", self.snapshot), ("prompts", self.asked)):
            JobInput.objects.create(job=self.job, role=role, snapshot=one)
        self.model = Checkpoint.objects.create(project=project, kind="sft", name="first", uri="1/model", job=self.job)
        self.later = Checkpoint.objects.create(project=project, kind="policy", name="second", uri="2/model")
        self.later.parents.add(self.model)
        self.bystander = Checkpoint.objects.create(project=project, kind="base", name="base", uri="3/model")
        self.run = folder / "runs" / str(self.job.pk)
        (self.run / "data").mkdir(parents=True)
        (self.run / "data" / "data.jsonl").hardlink_to(path_of(self.snapshot))
        (self.run / "samples.jsonl").write_text(
            json.dumps({"step": 1, "text": f"User: {ASKED}\nA model's words"}) + "\n"
        )
        (folder / "exports").mkdir()
        (folder / "exports" / "all.jsonl").write_text(WORDS)
        Export.objects.create(project=project, kind="demonstration", state="done", path="all.jsonl")

    def _write(self, campaign: object, user: User, words: str) -> Labeler:
        labeler = labeler_of(Membership.objects.get(user=user, project=self.project))
        submit_now(must_claim(campaign, labeler), Work(text=words))  # type: ignore[arg-type]
        return labeler

    def files(self, folder: Path) -> str:
        return "".join(path.read_text() for path in folder.rglob("*.jsonl"))


@pytest.fixture
def folder(tmp_path: Path, settings: Settings) -> Path:
    for name in ("runs", "snapshots", "exports"):
        setattr(settings, f"{name.upper()}_DIR", tmp_path / name)
    return tmp_path


@pytest.fixture
def world(project: Project, labeler: User, researcher: User, owner: User, folder: Path) -> World:
    return World(project, labeler, researcher, folder)


def test_the_words_are_nowhere_and_others_are_where_they_were(world: World, folder: Path) -> None:
    assert WORDS in world.files(folder)
    assert ASKED in world.files(folder / "snapshots")
    erase(world.labeler, by=None)
    left = world.files(folder)
    assert "grandmother" not in left
    assert "landlord" not in left
    assert OTHERS in left
    assert "A model's words" in left
    rows = json.dumps([*Response.objects.values_list("text", flat=True), *Prompt.objects.values_list("messages")])
    assert "grandmother" not in rows
    assert "landlord" not in rows
    assert OTHERS in rows
    assert not Background.objects.exists()


def test_a_tombstone_stays_that_leads_to_nobody(world: World, labeler: User) -> None:
    was = world.labeler.pseudonym
    erase(world.labeler, by=None)
    left = Labeler.objects.get(pk=world.labeler.pk)
    assert left.pseudonym.startswith("erased-")
    assert left.pseudonym != was
    assert (left.user, left.membership) == (None, None)
    assert not Membership.objects.filter(user=labeler).exists()
    assert Submission.objects.filter(assignment__labeler=left).count() == 2
    assert list(drifted()) == []


def test_the_first_sha256_stands_beside_the_new_one(world: World) -> None:
    first = world.snapshot.sha256
    erase(world.labeler, by=None)
    now = Snapshot.objects.get(pk=world.snapshot.pk)
    assert (now.first_sha256, now.sha256) == (first, file_sha256(path_of(now)))
    assert now.sha256 != first
    assert now.rows == len(path_of(now).read_text().splitlines()) == 2


def test_models_that_learned_from_it_are_named_and_others_are_not(world: World, owner: User) -> None:
    made = erase(world.labeler, by=owner)
    assert {one.name for one in made.checkpoints.all()} == {"first", "second"}
    shown = signed_in(owner).get(f"/projects/{world.project.slug}/models/{world.later.pk}/").content.decode()
    assert "Learned from words that were erased" in shown
    other = signed_in(owner).get(f"/projects/{world.project.slug}/models/{world.bystander.pk}/").content.decode()
    assert "Learned from words that were erased" not in other


def test_a_job_that_read_it_cannot_go_on_and_says_so(world: World) -> None:
    erase(world.labeler, by=None)
    Job.objects.filter(pk=world.job.pk).update(state="failed")
    with pytest.raises(JobRefused, match="somebody had erased"):
        jobs.resume(Job.objects.get(pk=world.job.pk))


@pytest.mark.parametrize("state", ["queued", "paused"])
def test_nothing_is_erased_while_a_job_reads_it(world: World, folder: Path, state: str) -> None:
    Job.objects.filter(pk=world.job.pk).update(state=state)
    before = world.files(folder)
    with pytest.raises(ErasureRefused, match="Cancel it or wait"):
        erase(world.labeler, by=None)
    assert world.files(folder) == before
    assert Response.objects.filter(text=WORDS).exists()


def test_who_was_interrupted_finishes_by_starting_anew(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def lost(words: object) -> None:
        raise KeyboardInterrupt

    first = world.snapshot.sha256
    monkeypatch.setattr("training.erasing.made_from", lost)
    with pytest.raises(KeyboardInterrupt):
        erase(world.labeler, by=None)
    assert Response.objects.filter(text=WORDS).exists()
    monkeypatch.undo()
    made = erase(Labeler.objects.get(pk=world.labeler.pk), by=None)
    assert world.snapshot in made.snapshots.all()
    assert Snapshot.objects.get(pk=world.snapshot.pk).first_sha256 == first
    assert {one.name for one in made.checkpoints.all()} == {"first", "second"}


def test_exports_are_deleted_and_no_new_snapshot_has_the_work(world: World, folder: Path) -> None:
    erase(world.labeler, by=None)
    assert list((folder / "exports").iterdir()) == []
    assert freeze(world.project, Query(kind="demonstrations")).rows == 1


def test_judgments_stay_data_where_that_is_asked_for(world: World) -> None:
    erase(world.labeler, by=None, judgments=False)
    assert not Submission.objects.filter(withdrawn_at__isnull=False).exists()


def test_nobody_is_handed_a_task_whose_words_are_gone(world: World) -> None:
    prompt = Prompt.objects.get(submission__assignment__labeler=world.labeler)
    campaign = make_campaign(world.project, kind="demonstration", tasks=1)
    Task.objects.filter(campaign=campaign).update(prompt=prompt)
    erase(world.labeler, by=None)
    assert Task.objects.get(campaign=campaign).open_slots == 0


def test_two_prompts_without_words_are_two(world: World) -> None:
    other = make_campaign(world.project, kind="prompt", quota=9)
    submit_now(must_claim(other, world.labeler), written("And what of the windows, which are old and thin?"))
    erase(world.labeler, by=None)
    blank = [prompt for prompt in Prompt.objects.all() if prompt.last_turn == ""]
    assert len({prompt.fingerprint for prompt in blank}) == 2
    assert fingerprint(blank[0].messages) != blank[0].fingerprint


def test_an_owner_asks_for_it_on_a_page(world: World, owner: User) -> None:
    client, address = signed_in(owner), f"/projects/{world.project.slug}/erasures/"
    session = client.session
    session["account_authentication_methods"] = [{"method": "password", "at": timezone.now().timestamp()}]
    session.save()
    wrong = client.post(address, {"who": "lars", "again": "larsen"})
    assert wrong.status_code == 409
    assert Response.objects.filter(text=WORDS).exists()
    assert client.post(address, {"who": "nobody", "again": "nobody"}).status_code == 409
    assert client.post(address, {"who": "lars", "again": "lars", "judgments": "yes"}).status_code == 302
    assert not Response.objects.filter(text=WORDS).exists()
    noted = AuditEntry.objects.get(kind=AuditKind.ERASURE)
    assert (noted.user, noted.project) == (owner.pk, world.project.pk)
    assert noted.facts == {"act": "words", "erasure": Erasure.objects.get().pk, "judgments": True}
    assert "erased-" in client.get(address).content.decode()


def test_a_command_does_it(world: World) -> None:
    said = StringIO()
    call_command("erase", world.project.slug, "lars", yes=True, stdout=said)
    assert "The model first had learned from it." in said.getvalue()
    assert not Response.objects.filter(text=WORDS).exists()
