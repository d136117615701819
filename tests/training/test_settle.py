"""What follows when an attempt ends: the exit-code table, and the taking in of results."""

import json
import re
import signal
from collections.abc import Callable
from datetime import timedelta
from html import unescape
from typing import Any
from unittest.mock import Mock

import pytest
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from labeling.models import Generator, Response, User
from tests.conftest import signed_in
from tests.labeling.work import make_labeler, must_claim
from tests.training.making import TINY_SFT, base_model_folder, prompt, rank_in_order, reload
from training import jobs, self_running, settling
from training.following import store_metrics
from training.models import Checkpoint, Job, Round
from training.readiness import pace_of
from training.retention import may_be_resumed
from training.rlhf.contract import records
from training.rlhf.contract.exit_codes import ExitCode
from training.rlhf.contract.run_folder import DataFile, ErrorNote, RunFolder, Status, write_json
from training.rounds import advance, launch, open_ranking_campaign
from training.run_folders import run_folder
from training.settling import Ending, Verdict, read_ending, settle, what_follows
from training.sizes import amount
from training.snapshot_rows import prompt_id
from training.sweeping import sweep

sqlite = [pytest.mark.django_db, pytest.mark.sqlite]


# --- the table --------------------------------------------------------------------------------------------------------


def follows(code: ExitCode | None, **more: Any) -> Verdict:
    given = {"wanted": "run", "stopping": False, "attempts_without_progress": 1} | more
    return what_follows(Ending(code, -9 if code is None else int(code)), **given)


@pytest.mark.parametrize(
    ("code", "verdict"),
    [
        (ExitCode.DONE, Verdict.FINISH),
        (ExitCode.STOPPED_EARLY, Verdict.FINISH),
        (ExitCode.WRONG_COMMAND, Verdict.FAIL),
        (ExitCode.DATA_REFUSED, Verdict.FAIL),
        (ExitCode.INPUT_MISSING, Verdict.FAIL),
        (ExitCode.OUT_OF_MEMORY, Verdict.FAIL),
        (ExitCode.CANNOT_WRITE, Verdict.FAIL),
        (ExitCode.NOT_FINITE, Verdict.FAIL),
        (ExitCode.CONFIG_REFUSED, Verdict.FAIL),
        (ExitCode.CANCELLED, Verdict.CANCEL),
        (ExitCode.FENCED, Verdict.REQUEUE),
        (ExitCode.BUG, Verdict.REQUEUE),
        (ExitCode.PAUSED, Verdict.REQUEUE_UNCOUNTED),
        (None, Verdict.REQUEUE),
    ],
)
def test_every_exit_code_has_its_consequence(code: ExitCode | None, verdict: Verdict) -> None:
    assert follows(code) is verdict


def test_the_table_leaves_no_exit_code_out() -> None:
    assert all(isinstance(follows(code), Verdict) for code in ExitCode)


def test_a_pause_that_a_person_asked_for_waits() -> None:
    assert follows(ExitCode.PAUSED, wanted="pause") is Verdict.PAUSE


@pytest.mark.parametrize("code", [ExitCode.PAUSED, ExitCode.BUG, ExitCode.FENCED, None])
def test_what_ends_without_results_after_somebody_asked_to_cancel_is_cancelled(code: ExitCode | None) -> None:
    assert follows(code, wanted="cancel") is Verdict.CANCEL


def test_a_stage_that_is_fenced_while_the_claim_holds_is_tried_again_and_then_fails() -> None:
    assert follows(ExitCode.FENCED, attempts_without_progress=2) is Verdict.REQUEUE
    assert follows(ExitCode.FENCED, attempts_without_progress=3) is Verdict.FAIL


def test_a_bug_is_tried_once_more() -> None:
    assert follows(ExitCode.BUG, attempts_without_progress=2) is Verdict.FAIL


def test_a_killed_stage_has_three_attempts_between_checkpoints() -> None:
    assert follows(None, attempts_without_progress=2) is Verdict.REQUEUE
    assert follows(None, attempts_without_progress=3) is Verdict.FAIL


def test_a_stage_that_was_killed_because_it_would_not_stop_did_what_was_wanted() -> None:
    assert follows(None, wanted="cancel") is Verdict.CANCEL
    assert follows(None, wanted="pause") is Verdict.PAUSE
    assert follows(None, stopping=True, attempts_without_progress=3) is Verdict.REQUEUE_UNCOUNTED


def status(state: str, error: ErrorNote | None = None) -> Status:
    return Status(
        attempt=1, pid=1, host="h", state=state, phase="train", step=3, steps=9, beat="now", step_at=None, error=error
    )  # type: ignore[arg-type] # fmt: skip


def test_the_stages_own_word_comes_before_its_launchers_exit_status() -> None:
    note = ErrorNote(code="not_finite", message="loss is nan at step 3")
    assert read_ending(1, status("failed", note)).code is ExitCode.NOT_FINITE
    assert read_ending(1, status("paused")).code is ExitCode.PAUSED
    assert read_ending(1, status("done")).code is ExitCode.DONE
    assert read_ending(77, status("done", ErrorNote(code="stopped_early", message="KL"))).code is ExitCode.STOPPED_EARLY


def test_without_its_own_word_the_exit_status_speaks_but_0_does_not_mean_done() -> None:
    assert read_ending(70, status("running")).code is ExitCode.BUG
    assert read_ending(-signal.SIGKILL, status("running")).code is None
    assert read_ending(0, status("running")).code is None
    assert read_ending(0, None).code is None


# --- results ----------------------------------------------------------------------------------------------------------


def finished(job: Job) -> Job:
    """The job after an attempt that left whatever stands in its run folder."""
    claim = jobs.claim(job.pk, "test")
    assert claim
    settle(claim, run_folder(job), Ending(ExitCode.DONE, 0), stopping=False)
    return reload(job)


def released(job: Job) -> RunFolder:
    folder = run_folder(job)
    base_model_folder(folder.model)
    write_json(folder.report, {"loss": 1.25})
    return folder


def sft_is_done(round_: Round) -> Job:
    job = launch(round_, "sft", overrides=TINY_SFT)
    released(job)
    return finished(job)


class TestACheckpoint:
    pytestmark = sqlite

    def test_it_is_registered_with_its_identity_parents_and_generator(self, round_with_base: Round) -> None:
        job = sft_is_done(round_with_base)
        checkpoint = Checkpoint.objects.get(job=job)
        assert job.state == "done"
        assert (checkpoint.kind, checkpoint.name, checkpoint.metrics) == ("sft", "r1-sft", {"loss": 1.25})
        assert len(checkpoint.sha256) == 64
        assert [parent.name for parent in checkpoint.parents.all()] == ["base"]
        assert checkpoint.generator
        assert (checkpoint.generator.name, checkpoint.generator.kind) == ("r1-sft", "sft")

    def test_the_next_stages_become_ready(self, round_with_base: Round) -> None:
        sft_is_done(round_with_base)
        states = dict(round_with_base.stages.values_list("kind", "state"))
        assert states == {
            "sft": "done", "sample": "ready", "rank": "waiting", "reward": "ready", "ppo": "waiting",
            "evaluate": "waiting",
        }  # fmt: skip

    def test_a_second_run_makes_a_second_one_with_a_name_of_its_own(self, round_with_base: Round) -> None:
        sft_is_done(round_with_base)
        again = sft_is_done(round_with_base)
        assert Checkpoint.objects.get(job=again).name == f"r1-sft-{again.pk}"

    def test_a_generator_of_somebody_elses_making_keeps_its_name(self, round_with_base: Round) -> None:
        Generator.objects.create(project=round_with_base.project, name="r1-sft", kind="external")
        job = sft_is_done(round_with_base)
        assert Checkpoint.objects.get(job=job).name == f"r1-sft-{job.pk}"

    def test_done_without_results_is_a_failure_that_says_so(self, round_with_base: Round) -> None:
        job = finished(launch(round_with_base, "sft", overrides=TINY_SFT))
        assert job.state == "failed"
        assert "its results cannot be taken in" in job.error["message"]  # type: ignore[index]
        assert round_with_base.stages.get(kind="sft").state == "failed"


@pytest.mark.django_db
@pytest.mark.sqlite
def test_a_done_job_took_what_it_worked_and_not_what_it_waited(round_with_base: Round, researcher: User) -> None:
    job = launch(round_with_base, "sft", overrides=TINY_SFT)
    released(job)
    store_metrics(job.pk, [{"step": 1, "seconds": 30.0}, {"step": 2, "seconds": 90.0}])
    claim = jobs.claim(job.pk, "test")
    assert claim
    Job.objects.filter(pk=job.pk).update(started_at=timezone.now() - timedelta(days=2))
    settle(claim, run_folder(job), Ending(ExitCode.DONE, 0), stopping=False)
    assert ">Done, 1 min 30 s<" in page_of(round_with_base, researcher)
    listed = signed_in(researcher).get(reverse("jobs", args=["helpdesk"])).content.decode()
    assert "1 min 30 s" in listed
    job = reload(job)
    rows = job.inputs.get(role="demonstrations_train").snapshot.rows  # type: ignore[union-attr]
    assert pace_of(job) == pytest.approx(90 / amount(job.config, rows))


class TestARunAgain:
    pytestmark = sqlite

    @pytest.mark.parametrize("state", ["cancelled", "failed"])
    def test_one_that_brings_nothing_takes_no_results_back(
        self, round_with_base: Round, researcher: User, state: str
    ) -> None:
        before = sft_is_done(round_with_base)
        again = launch(round_with_base, "sft", overrides=TINY_SFT)
        if state == "cancelled":
            jobs.ask_cancel(again)
        else:
            finished(again)
        stage = round_with_base.stages.get(kind="sft")
        assert reload(again).state == state
        assert (stage.state, stage.job) == ("done", before)
        assert launch(round_with_base, "sample").state == "queued"
        words = page_of(round_with_base, researcher)
        assert f"what job {before.pk} made still counts" in words

    def test_one_that_failed_can_still_be_resumed(self, round_with_base: Round) -> None:
        sft_is_done(round_with_base)
        again = finished(launch(round_with_base, "sft", overrides=TINY_SFT))
        assert may_be_resumed(again)
        jobs.resume(again)
        stage = round_with_base.stages.get(kind="sft")
        assert (stage.state, stage.job) == ("running", again)

    def test_the_stages_after_it_read_its_result_and_not_the_one_before(self, round_with_base: Round) -> None:
        sft_is_done(round_with_base)
        again = sft_is_done(round_with_base)
        read = launch(round_with_base, "sample").inputs.get(role="generators").checkpoint
        assert read == Checkpoint.objects.get(job=again)

    def test_what_was_made_of_the_older_result_says_so(self, round_with_base: Round, researcher: User) -> None:
        sft_is_done(round_with_base)
        launch(round_with_base, "sample")
        assert "not the newer" not in page_of(round_with_base, researcher)
        assert ">Waiting for Reward model<" in page_of(round_with_base, researcher)  # SFT is done
        again = sft_is_done(round_with_base)
        assert f"from r1-sft, not the newer r1-sft-{again.pk}" in page_of(round_with_base, researcher)


def page_of(round_: Round, reader: User) -> str:
    address = reverse("round", args=[round_.project.slug, round_.number])
    return unescape(signed_in(reader).get(address, {"stage": "sft"}).content.decode())


@pytest.mark.django_db
def test_what_the_database_gave_up_on_is_settled_when_it_is_tried_again(
    round_with_base: Round, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = launch(round_with_base, "sft", overrides=TINY_SFT)
    released(job)
    works, tries = settling._finish, []

    def deadlocked(*arguments: Any) -> None:
        tries.append(1)
        if len(tries) < 3:
            raise OperationalError("deadlock detected")
        works(*arguments)

    monkeypatch.setattr(settling, "_finish", deadlocked)
    monkeypatch.setattr(settling, "SETTLE_WAIT_SECONDS", 0)
    monkeypatch.setattr(settling, "connection", Mock(in_atomic_block=False))
    assert finished(job).state == "done"


class TestLocks:
    """Whoever locks a round and its stages locks the round first; of two orders, two workers could wait for each other
    for ever. PostgreSQL only: SQLite locks no rows."""

    pytestmark = pytest.mark.django_db

    def locked(self, act: Callable[[], object]) -> list[str]:
        with CaptureQueriesContext(connection) as captured:
            act()
        said = [query["sql"] or "" for query in captured]
        order = [
            match[1]
            for sql in said
            if (
                match := re.match(r'UPDATE "training_(stage)"', sql)
                or re.search(r'"training_(\w+)"\S* .*FOR UPDATE', sql)
            )
        ]
        return [name.split('"')[0] for name in order if name in ("round", "stage")]

    def test_when_a_job_ends(self, round_with_base: Round) -> None:
        job = launch(round_with_base, "sft", overrides=TINY_SFT)
        assert self.locked(lambda: jobs.ask_cancel(job))[0] == "round"

    def test_when_a_round_moves_on_or_starts_a_stage(self, round_with_base: Round) -> None:
        assert self.locked(lambda: advance(round_with_base))[0] == "round"
        stage = round_with_base.stages.get(kind="sft")
        assert self.locked(lambda: self_running._start(round_with_base, stage))[0] == "round"


class TestResponses:
    pytestmark = sqlite

    @pytest.fixture
    def sampling(self, round_with_base: Round) -> Job:
        sft_is_done(round_with_base)
        return launch(round_with_base, "sample", overrides={"sample": {"responses_per_prompt": 2}})

    def answer(self, job: Job, **changes: Any) -> RunFolder:
        """Two responses to each of the job's prompts, written as the stage would."""
        folder = run_folder(job)
        folder.output("responses").parent.mkdir(parents=True)
        prompts = job.inputs.get(role="prompts_train").snapshot.rows  # type: ignore[union-attr]
        first = job.project.prompts.earliest("pk").pk
        rows = [
            records.Response(
                **{"id": f"{pk}-{place}", "prompt": prompt_id(pk), "text": f"Answer {place}\x00.",
                   "token_ids": (5, 6, 2), "finish": "stop", "logprob": -3.5, "generator": "r1-sft"} | changes
            )
            for pk in range(first, first + prompts) for place in (0, 1)
        ]  # fmt: skip
        written = records.write_rows(folder.output("responses"), rows)
        file = DataFile(name="responses", kind="response", **written.to_json())
        write_json(folder.output_manifest, [file.to_json()])
        write_json(folder.report, {"responses": len(rows)})
        return folder

    def test_they_come_in_with_their_generator_and_how_they_were_sampled(self, sampling: Job) -> None:
        self.answer(sampling)
        assert finished(sampling).state == "done"
        taken = Response.objects.filter(generator__name="r1-sft")
        assert taken.count() == 40
        one = taken.earliest("pk")
        assert (one.token_count, one.finish_reason, one.sampling["temperature"]) == (3, "stop", 1.0)
        assert one.sampling["token_ids"] == [5, 6, 2]

    def test_a_text_that_no_database_stores_is_made_storable(self, sampling: Job) -> None:
        self.answer(sampling)
        finished(sampling)
        assert Response.objects.filter(generator__name="r1-sft").earliest("pk").text == "Answer 0�."

    @pytest.mark.parametrize("changes", [{"generator": "gpt"}, {"prompt": "p000000999999"}, {"prompt": "nonsense"}])
    def test_what_answers_nothing_of_ours_is_refused_whole(self, sampling: Job, changes: dict[str, Any]) -> None:
        self.answer(sampling, **changes)
        assert finished(sampling).state == "failed"
        assert not Response.objects.filter(generator__isnull=False).exists()

    def test_a_file_that_is_not_what_its_manifest_says_is_refused(self, sampling: Job) -> None:
        folder = self.answer(sampling)
        path = folder.output("responses")
        path.write_text(path.read_text().replace("Answer 0", "Answer 9"))
        job = finished(sampling)
        assert "is not the file that its manifest describes" in json.dumps(job.error)

    def test_people_are_given_them_to_rank_and_the_stage_is_done_when_they_have(
        self, sampling: Job, round_with_base: Round
    ) -> None:
        project = round_with_base.project
        project.guidelines.create(kind="ranking", version=1, body="Rank.", published_at=timezone.now())
        prompt(project)
        self.answer(sampling)
        finished(sampling)
        campaign = open_ranking_campaign(round_with_base)
        assert (campaign.state, campaign.tasks.count()) == ("open", 20)
        rank = round_with_base.stages.get(kind="rank")
        assert (rank.state, rank.campaign) == ("running", campaign)
        ina = make_labeler(project, "ina")
        for _ in range(20):
            assert round_with_base.stages.get(kind="rank").state == "running"
            rank_in_order(must_claim(campaign, ina))
        sweep()
        assert round_with_base.stages.get(kind="rank").state == "done"
