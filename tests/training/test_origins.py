"""Lineage both ways, the card of a model, what of the run folders can go, and what never does."""

from dataclasses import replace
from datetime import timedelta
from html import unescape
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.core.management import call_command
from django.db.models.functions import Now
from django.test import Client, TestCase
from django.urls import reverse
from django.utils import timezone

from labeling.backgrounds import withdraw
from labeling.models import Cohort, CohortMember, Project, Submission, User
from tests.conftest import signed_in
from tests.training.making import TINY_SFT, rankings
from tests.training.test_settle import finished, released, sft_is_done
from training.errors import CheckpointRefused, LaunchRefused
from training.model_card import card_of
from training.models import Checkpoint, Job, Round
from training.origins import destinations_of, origin_of, sources
from training.retention import clean, delete_weights, freed_bytes, removable, rests_on
from training.rlhf.contract.run_folder import write_json
from training.rounds import launch, open_round
from training.run_folders import run_folder
from training.snapshot_rows import Query
from training.snapshots import freeze, path_of

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]

REWARD = {"reward": {"epochs": 1, "prompts_per_step": 2}, "hardware": {"device": "cpu", "threads": 1}}


def url(name: str, *arguments: Any) -> str:
    return reverse(name, args=["helpdesk", *arguments])


def text_of(answer: Any) -> str:
    return unescape(answer.content.decode())


@pytest.fixture
def reward(round_with_base: Round, project: Project) -> Checkpoint:
    """A reward model of an SFT model, from three rankings by two labelers each."""
    sft_is_done(round_with_base)
    rankings(project, 3, overlap=2)
    job = launch(round_with_base, "reward", overrides=REWARD)
    folder = released(job)
    write_json(folder.model / "accord.json", {"code": {"git": "3f9c1d2a77", "dirty": True, "torch": "2.13.0"}})
    finished(job)
    return Checkpoint.objects.get(job=job)


class TestWhereItComesFrom:
    def test_a_checkpoint_counts_the_submissions_labelers_and_guidelines_of_its_line(self, reward: Checkpoint) -> None:
        origin = origin_of(reward)
        assert [one.name for one in origin.ancestors] == ["r1-sft", "base"]
        assert (origin.submissions, origin.by_kind) == (6, {"ranking": 6})
        assert sources(origin.labelers) == "2 members"
        assert list(origin.guidelines.values()) == [6]
        assert origin.codes == ["3f9c1d2a77 with changes that are in no commit, torch 2.13.0"]
        assert {snapshot.kind for snapshot, _ in origin.snapshots} == {"demonstrations", "rankings"}

    def test_a_submission_knows_the_models_it_went_into(self, reward: Checkpoint) -> None:
        submission = Submission.objects.order_by("pk").first()
        assert submission is not None
        went = destinations_of(submission)
        assert [[made.name for made in one.checkpoints] for one in went.into] == [["r1-reward"]]
        child = Checkpoint.objects.create(project=reward.project, kind="policy", name="r1-ppo", uri="9/model")
        child.parents.add(reward)
        assert [one.name for one in destinations_of(submission).further] == ["r1-ppo"]

    def test_the_page_of_a_submission_leads_there(self, reward: Checkpoint, researcher: User) -> None:
        submission = Submission.objects.order_by("pk").first()
        words = text_of(signed_in(researcher).get(url("submission", submission.pk)))  # type: ignore[union-attr]
        assert "went into <b>1</b> snapshot." in words
        assert url("checkpoint", reward.pk) in words


class TestAWatcher:
    """A reward model that only watched: nothing of it is in the policy."""

    @pytest.fixture
    def watcher(self, reward: Checkpoint, project: Project) -> Checkpoint:
        """Of rankings that the model which is trained against has not read."""
        rankings(project, 2)
        job = launch(reward.job.stage.round, "reward", overrides=REWARD)  # type: ignore[union-attr]
        released(job)
        finished(job)
        return Checkpoint.objects.get(job=job)

    @pytest.fixture
    def policy(self, reward: Checkpoint, watcher: Checkpoint, project: Project) -> Checkpoint:
        job = Job.objects.create(project=project, kind="ppo", config={"stage": "ppo"})
        sft = project.checkpoints.get(kind="sft")
        for role, model in (("policy", sft), ("reward", reward), ("watch.0", watcher)):
            job.inputs.create(role=role, checkpoint=model)
        released(job)
        finished(job)
        return Checkpoint.objects.get(job=job)

    def test_it_is_no_parent(self, policy: Checkpoint, watcher: Checkpoint, reward: Checkpoint) -> None:
        assert {one.name for one in policy.parents.all()} == {"r1-sft", "r1-reward"}
        assert origin_of(policy).submissions == 6
        only_watched = Submission.objects.order_by("-pk").first()
        assert only_watched is not None
        assert destinations_of(only_watched).further == []
        assert not any(policy.name in reason for reason in rests_on(watcher))

    def test_what_stood_there_before_is_mended(self, policy: Checkpoint, watcher: Checkpoint) -> None:
        policy.parents.add(watcher)
        migration = import_module("training.migrations.0006_refusals_alarm_watchers_no_parents")
        migration.watchers_are_no_parents(apps, None)
        assert {one.name for one in policy.parents.all()} == {"r1-sft", "r1-reward"}


class TestTheCard:
    def test_it_spells_out_whose_judgments_and_whose_choices_are_in_it(self, reward: Checkpoint) -> None:
        card = card_of(reward)
        for said in (
            "# r1-reward", "r1-reward is a reward model", "| Labelers | 2 members |", "| Submissions | 6 |",
            "| Epochs | 1 |", "| Simulated labelers | kept out |", "3f9c1d2a77 with changes", "| SFT | r1-sft,",
            "## Limits",
        ):  # fmt: skip
            assert said in card, said

    def test_it_is_a_page_and_a_file(self, reward: Checkpoint, researcher: User) -> None:
        client = signed_in(researcher)
        assert "Whose judgments are in it" in text_of(client.get(url("model_card", reward.pk)))
        answer = client.get(url("model_card", reward.pk), {"as": "markdown"})
        assert answer["Content-Disposition"] == 'attachment; filename="r1-reward-card.md"'
        assert answer.content.decode() == card_of(reward)

    def test_a_name_cannot_break_its_table(self, reward: Checkpoint) -> None:
        Project.objects.filter(pk=reward.project_id).update(name="A | B\n# C [x](https://e.org)")
        card = card_of(Checkpoint.objects.get(pk=reward.pk))
        assert "| Project | A \\| B # C \\[x](https://e.org) |" in card

    def test_it_says_that_somebody_withdrew_the_answer_that_put_them_into_the_cohort_it_learned_from(
        self, reward: Checkpoint
    ) -> None:
        young = Cohort.objects.create(project=reward.project, name="Young", rule={"age": ["young"]})
        for one in reward.project.labelers.all():
            CohortMember.objects.create(cohort=young, labeler=one, since=timezone.now() - timedelta(days=9))
        snapshot = reward.project.snapshots.get(kind="rankings")
        snapshot.query["cohort"] = young.pk
        snapshot.save()
        says = "Somebody withdrew the answer that had put them into Young"
        assert says not in card_of(reward)
        withdraw(snapshot.submissions.earliest("pk").assignment.labeler)
        assert says in card_of(reward)

    def test_of_a_model_told_apart_it_says_so_too(self, project: Project, round_with_base: Round) -> None:
        """Only of the cohort that the withdrawn answer had put somebody into, and of none that was filled by hand."""
        sft_is_done(round_with_base)
        rankings(project, 3, overlap=2)
        made = []
        for (name, rule), labeler in zip(
            (("Young", {"age": ["young"]}), ("Terse", {})), project.labelers.order_by("-pk")[:2], strict=True
        ):
            cohort = Cohort.objects.create(project=project, name=name, rule=rule)
            CohortMember.objects.create(cohort=cohort, labeler=labeler, since=timezone.now() - timedelta(days=9))
            made.append((cohort, labeler))
        query = replace(
            Query(kind="rankings", split="train"), among=tuple(one.pk for one, _ in made), keys=("Young", "Terse")
        )
        snapshot = freeze(project, query)
        job = launch(round_with_base, "reward", overrides=REWARD)
        job.inputs.filter(role="rankings_train").update(snapshot=snapshot)
        released(job)
        finished(job)
        checkpoint = Checkpoint.objects.get(job=job)
        says = "Somebody withdrew the answer that had put them into "
        assert says not in card_of(checkpoint)
        Cohort.objects.filter(name="Young").update(name="Under 25")
        made[1][0].members.all().delete()
        assert says not in card_of(checkpoint)
        withdraw(made[0][1])
        assert f"{says}Under 25;" in card_of(checkpoint)
        path_of(snapshot).unlink()
        assert says not in card_of(checkpoint)

    def test_every_checkpoint_has_one(self, round_with_base: Round) -> None:
        assert "is a base model" in card_of(Checkpoint.objects.get(name="base"))


def state_of(job: Job, *, step: int = 4) -> Path:
    """A checkpoint on the way, of whose weights the released ones are a hard link."""
    folder = run_folder(job)
    state = folder.checkpoint(step)
    (state / "model").mkdir(parents=True)
    (state / "trainer").mkdir()
    (state / "trainer" / "optimizer.safetensors").write_bytes(b"0" * 1000)
    if folder.model.is_dir():
        (state / "model" / "model.safetensors").hardlink_to(folder.model / "model.safetensors")
    return state


def long_ago(job: Job, *, days: int = 30) -> None:
    Job.objects.filter(pk=job.pk).update(finished_at=Now() - timedelta(days=days))


WEEK = timedelta(days=7)


class TestWhatCanGo:
    def test_the_state_of_a_finished_job_goes_and_its_weights_stay(self, round_with_base: Round) -> None:
        job = sft_is_done(round_with_base)
        state = state_of(job)
        assert removable(older_than=WEEK) == [], "it ended just now"
        long_ago(job)
        pieces = removable(older_than=WEEK)
        assert [(piece.path, piece.bytes) for piece in pieces] == [(state.parent, 1000)]
        assert clean(pieces) == 1000
        assert not state.exists()
        assert (run_folder(job).model / "model.safetensors").read_bytes()

    def test_a_failed_job_that_may_be_resumed_keeps_its_state(self, round_with_base: Round) -> None:
        job = launch(round_with_base, "sft", overrides=TINY_SFT)
        state_of(job)
        Job.objects.filter(pk=job.pk).update(state="failed")
        round_with_base.stages.filter(kind="sft").update(state="failed")
        long_ago(job)
        assert removable(older_than=WEEK) == []
        Round.objects.update(state="closed")
        assert len(removable(older_than=WEEK)) == 1

    def test_a_job_that_is_resumed_between_the_list_and_the_cleaning_keeps_its_state(
        self, round_with_base: Round
    ) -> None:
        job = sft_is_done(round_with_base)
        state = state_of(job)
        long_ago(job)
        pieces = removable(older_than=WEEK)
        Job.objects.filter(pk=job.pk).update(state="queued", finished_at=None)
        assert clean(pieces) == 0
        assert state.exists()

    def test_nothing_goes_in_which_the_weights_of_a_kept_checkpoint_lie(self, round_with_base: Round) -> None:
        job = sft_is_done(round_with_base)
        state = state_of(job)
        Checkpoint.objects.create(
            project=round_with_base.project, kind="sft", name="by hand",
            uri=str(state.relative_to(run_folder(job).root.parent) / "model"),
        )  # fmt: skip
        long_ago(job)
        assert removable(older_than=WEEK) == []

    def test_steps_that_the_config_keeps_stay(self, round_with_base: Round) -> None:
        job = sft_is_done(round_with_base)
        kept, other = state_of(job, step=10), run_folder(job).checkpoint(12)
        other.mkdir()
        Job.objects.filter(pk=job.pk).update(config=job.config | {"checkpoints": {"keep_steps": [10]}})
        long_ago(job)
        assert [piece.path for piece in removable(older_than=WEEK)] == [other]
        assert kept.exists()

    def test_the_command_lists_and_cleans(self, round_with_base: Round, capsys: pytest.CaptureFixture[str]) -> None:
        job = sft_is_done(round_with_base)
        state = state_of(job)
        long_ago(job)
        call_command("clean_runs", "--dry-run")
        assert "1000" in capsys.readouterr().out
        assert state.exists()
        call_command("clean_runs", "--project", "helpdesk")
        assert not state.exists()

    def test_the_page_is_the_owners(self, round_with_base: Round, owner: User, researcher: User) -> None:
        job = sft_is_done(round_with_base)
        state = state_of(job)
        long_ago(job)
        assert signed_in(researcher).get(url("disk")).status_code == 403
        client = signed_in(owner)
        assert f"job {job.pk}" in text_of(client.get(url("disk")))
        client.post(url("disk"), {"days": "7"})
        assert not state.exists()


class TestDeletingAModel:
    def test_one_that_others_rest_on_is_refused_with_the_reasons(self, reward: Checkpoint) -> None:
        sft = Checkpoint.objects.get(name="r1-sft")
        with pytest.raises(CheckpointRefused, match="r1-sft cannot be deleted: r1-reward was made from it; round 1 is"):
            delete_weights(sft)
        assert (Path(run_folder(sft.job).model) / "config.json").exists()  # type: ignore[arg-type]

    def test_one_that_nothing_rests_on_goes_and_its_row_stays(self, reward: Checkpoint, owner: User) -> None:
        Round.objects.update(state="closed")
        client = signed_in(owner)
        with TestCase.captureOnCommitCallbacks(execute=True):
            client.post(url("delete_checkpoint", reward.pk))
        assert not run_folder(reward.job).model.exists()  # type: ignore[arg-type]
        assert "Its weights were deleted" in text_of(client.get(url("checkpoint", reward.pk)))
        with pytest.raises(CheckpointRefused, match="already"):
            delete_weights(reward)

    def test_a_folder_that_was_not_made_here_is_left_alone(self, round_with_base: Round) -> None:
        Round.objects.update(state="closed")
        with pytest.raises(CheckpointRefused, match="were not made here"):
            delete_weights(Checkpoint.objects.get(name="base"))

    def test_a_stage_that_would_start_from_it_is_refused(self, round_with_base: Round) -> None:
        sft_is_done(round_with_base)
        Checkpoint.objects.filter(name="r1-sft").update(removed_at=Now())
        with pytest.raises(LaunchRefused, match="its weights were deleted on"):
            launch(round_with_base, "reward", overrides=REWARD)


def test_a_hard_link_elsewhere_keeps_the_bytes(tmp_path: Path) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / "alone").write_bytes(b"0" * 10)
    (inside / "shared").write_bytes(b"0" * 100)
    (inside / "twice").hardlink_to(inside / "alone")
    (tmp_path / "elsewhere").hardlink_to(inside / "shared")
    assert freed_bytes(inside) == 10


def test_a_stranger_meets_404_everywhere(reward: Checkpoint, stranger: User, project: Project) -> None:
    submission = Submission.objects.order_by("pk").first()
    client = signed_in(stranger)
    addresses = [
        url("model_card", reward.pk), url("delete_checkpoint", reward.pk), url("disk"),
        url("submission", submission.pk),  # type: ignore[union-attr]
    ]  # fmt: skip
    assert {client.get(address).status_code for address in addresses} == {404}
    assert {client.post(address).status_code for address in addresses[1:3]} == {404}
    assert isinstance(client, Client)


def test_the_same_query_on_the_same_submissions_gives_the_same_hash(project: Project) -> None:
    from training.snapshots import freeze, read_query

    rankings(project, 2)
    query = read_query({"kind": "rankings", "split": "train"})
    first, second = freeze(project, query), freeze(project, query)
    assert (first.pk, first.sha256) == (second.pk, second.sha256)
    rankings(project, 1)
    assert freeze(project, query).sha256 != first.sha256
    assert open_round(project).number == 1
