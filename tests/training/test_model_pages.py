"""The console's pages about models and jobs: who may see them, what they show."""

import json
from html import unescape
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from labeling.models import Project, Response, User
from tests.conftest import signed_in
from tests.training.making import TINY_SFT, demonstrations, generator, prompt, reload
from tests.training.test_settle import sft_is_done
from training import jobs
from training.following import store_metrics
from training.lineage import family_of
from training.models import Checkpoint, Job, Round
from training.rounds import launch
from training.run_folders import run_folder
from training.views import samples

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]


@pytest.fixture
def ines(researcher: User) -> Client:
    return signed_in(researcher)


@pytest.fixture
def job(round_with_base: Round) -> Job:
    return launch(round_with_base, "sft", overrides=TINY_SFT)


def url(name: str, *arguments: Any) -> str:
    return reverse(name, args=["helpdesk", *arguments])


def text_of(answer: Any) -> str:
    assert answer.status_code == 200
    return " ".join(unescape(answer.content.decode()).split())


def checkpoint(project: Project, name: str, kind: str = "sft", *parents: Checkpoint, **more: Any) -> Checkpoint:
    made = Checkpoint.objects.create(project=project, name=name, kind=kind, uri=f"1/{name}", **more)
    made.parents.set(parents)
    return made


class TestWhoMaySeeThem:
    @pytest.fixture
    def addresses(self, job: Job) -> list[str]:
        made = checkpoint(job.project, "one")
        return [url("checkpoints"), url("checkpoint", made.pk), url("jobs"), url("job", job.pk)]

    def test_a_stranger_meets_404(self, addresses: list[str], stranger: User) -> None:
        assert {signed_in(stranger).get(address).status_code for address in addresses} == {404}

    def test_a_labeler_meets_403(self, addresses: list[str], labeler: User) -> None:
        assert {signed_in(labeler).get(address).status_code for address in addresses} == {403}

    def test_owner_and_researcher_read_them(self, addresses: list[str], owner: User, ines: Client) -> None:
        for client in (signed_in(owner), ines):
            assert {client.get(address).status_code for address in addresses} == {200}

    def test_what_belongs_to_another_project_is_not_found_through_ones_own(self, stranger: User, ines: Client) -> None:
        other = Project.objects.get(slug="elsewhere")
        theirs = Job.objects.create(project=other, kind="sft", config={})
        assert ines.get(url("job", theirs.pk)).status_code == 404
        assert ines.get(url("checkpoint", checkpoint(other, "one").pk)).status_code == 404


class TestModels:
    def test_a_line_says_what_made_it_and_from_what(self, round_with_base: Round, ines: Client) -> None:
        job = sft_is_done(round_with_base)
        Checkpoint.objects.filter(job=job).update(metrics={"best": {"validation_loss": 1.2345}}, sha256="ab" * 32)
        page = text_of(ines.get(url("checkpoints")))
        for part in ("r1-sft", "from base", "round 1", f"job {job.pk}", "held-out loss 1.23", "abababababab…"):
            assert part in page

    def test_they_are_narrowed_by_kind(self, project: Project, ines: Client) -> None:
        checkpoint(project, "an-sft")
        checkpoint(project, "a-reward", "reward")
        page = text_of(ines.get(url("checkpoints"), {"kind": "reward"}))
        assert "1</b> of 2 models match" in page
        assert "an-sft" not in page
        assert ines.get(url("checkpoints"), {"kind": "x"}).status_code == 400

    def test_the_line_leads_up_to_the_beginning_and_down_to_all_that_was_made(self, project: Project) -> None:
        base = checkpoint(project, "base", "base")
        sft = checkpoint(project, "sft", "sft", base)
        reward = checkpoint(project, "reward", "reward", sft)
        policy = checkpoint(project, "policy", "policy", sft, reward)
        assert family_of(policy) == ([[sft, reward], [base]], [])
        assert family_of(base) == ([], [[sft], [reward, policy]])

    def test_a_line_that_runs_in_a_circle_ends(self, project: Project) -> None:
        one = checkpoint(project, "one")
        two = checkpoint(project, "two", "sft", one)
        one.parents.add(two)
        assert family_of(one) == ([[two]], [[two]])

    def test_its_page_shows_the_data_that_made_it_and_who_its_responses_are_by(
        self, round_with_base: Round, ines: Client
    ) -> None:
        job = sft_is_done(round_with_base)
        made = Checkpoint.objects.get(job=job)
        Response.objects.create(prompt=prompt(made.project), generator=made.generator, text="Hello")
        page = text_of(ines.get(url("checkpoint", made.pk)))
        assert "Made from base." in page
        assert f"{url('responses')}?generator={made.generator_id}" in page
        assert "demonstrations" in page
        assert made.uri in page
        assert '"sequences_per_step": 4' in page

    def test_weights_that_are_gone_are_called_so(self, project: Project, ines: Client) -> None:
        made = checkpoint(project, "lost")
        assert "not on this machine" in text_of(ines.get(url("checkpoint", made.pk)))

    def test_many_models_cost_the_same_queries(
        self, project: Project, ines: Client, django_assert_max_num_queries: Any
    ) -> None:
        before = checkpoint(project, "m0", "base")
        for number in range(1, 30):
            before = checkpoint(project, f"m{number}", "sft", before)
        with django_assert_max_num_queries(9):
            ines.get(url("checkpoints"))
        with django_assert_max_num_queries(9):
            ines.get(url("checkpoint", before.pk))


class TestJobs:
    def test_a_line_says_how_it_stands_and_why_it_failed(self, job: Job, ines: Client) -> None:
        claim = jobs.claim(job.pk, "host-7 pid 12")
        assert claim
        assert "host-7 pid 12" in text_of(ines.get(url("jobs")))
        with jobs.holding(claim):
            jobs.end(claim, "failed", error={"code": "not_finite", "message": "loss is nan at step 7"})
        page = text_of(ines.get(url("jobs")))
        for part in (f"Job {job.pk}, SFT", "Failed", "loss is nan at step 7", "1 of them failed"):
            assert part in page

    def test_they_are_narrowed_by_state_and_kind(self, job: Job, ines: Client) -> None:
        assert f"Job {job.pk}," in text_of(ines.get(url("jobs"), {"state": "queued", "kind": "sft"}))
        assert f"Job {job.pk}," not in text_of(ines.get(url("jobs"), {"state": "done"}))
        assert ines.get(url("jobs"), {"state": "sleeping"}).status_code == 400

    def test_its_page_shows_config_inputs_curves_and_log(self, job: Job, ines: Client) -> None:
        jobs.claim(job.pk, "w")
        store_metrics(job.pk, [{"step": step, "loss": 5.0 - step} for step in range(1, 4)])
        folder = run_folder(job)
        folder.rank_log(1).parent.mkdir(parents=True)
        folder.rank_log(1).write_text("<script>alert(1)</script>\n")
        answer = ines.get(url("job", job.pk))
        page = text_of(answer)
        for part in ('"sequences_per_step": 4', 'data-curve="loss"', "demonstrations", ">base</a>"):
            assert part in page
        assert "<script>alert" not in answer.content.decode()

    def test_what_is_asked_there_leads_back_there(self, job: Job, ines: Client) -> None:
        answer = ines.post(url("cancel_job", 1, job.pk), {"back": "job"})
        assert answer.url == url("job", job.pk)
        assert reload(job).state == "cancelled"

    def test_a_job_without_a_stage_is_shown_without_buttons(self, project: Project, ines: Client) -> None:
        lonely = Job.objects.create(project=project, kind="ppo", config={"seed": 1})
        page = text_of(ines.get(url("job", lonely.pk)))
        assert "Cancel job" not in page
        assert 'data-curve="entropy"' in page

    def test_many_jobs_cost_the_same_queries(
        self, project: Project, ines: Client, django_assert_max_num_queries: Any
    ) -> None:
        for _ in range(20):
            Job.objects.create(project=project, kind="sft", config={}, state="done")
        with django_assert_max_num_queries(7):
            ines.get(url("jobs"))


def write_samples(job: Job, *rows: Any) -> None:
    folder = run_folder(job)
    folder.root.mkdir(parents=True, exist_ok=True)
    lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    folder.samples.write_text("\n".join(lines) + "\n")


def rollout(step: int, text: str, **more: Any) -> dict[str, Any]:
    return {"step": step, "prompt": "7", "prompt_text": "Why is it so?", "text": text, "score": 1.25, "kl": 0.5} | more


class TestSamples:
    @pytest.fixture
    def ppo(self, project: Project) -> Job:
        return Job.objects.create(project=project, kind="ppo", config={}, attempt=1)

    def test_the_newest_come_first_with_score_and_kl(self, ppo: Job) -> None:
        write_samples(ppo, rollout(1, "early"), rollout(2, "late", score=-0.5, finish="length"))
        reading = samples.reading_of(ppo, {})
        assert [(one.text, one.score, one.kl, one.cut) for one in reading.samples] == [
            ("late", "−0.50", "0.50", True), ("early", "1.25", "0.50", False),
        ]  # fmt: skip
        assert reading.steps == [2, 1]

    def test_one_step_can_be_asked_for(self, ppo: Job, ines: Client) -> None:
        write_samples(ppo, rollout(1, "early"), rollout(2, "late"))
        page = text_of(ines.get(url("job", ppo.pk), {"step": "1"}))
        assert "early" in page
        assert ">late<" not in page
        for none in ("3", "x", "9" * 40, "-1"):
            assert samples.reading_of(ppo, {"step": none}).step is None

    def test_they_come_in_sheets(self, ppo: Job) -> None:
        write_samples(ppo, *(rollout(step, f"text {step}") for step in range(25)))
        first, last = samples.reading_of(ppo, {}), samples.reading_of(ppo, {"sheet": "3", "stage": "ppo"})
        assert (first.samples[0].text, len(first.samples), first.newer, first.older) == ("text 24", 10, "", "?sheet=2")
        assert ([one.text for one in last.samples][-1], last.older) == ("text 0", "")
        assert last.newer == "?sheet=2&stage=ppo"

    def test_of_a_long_file_the_end_is_read(self, ppo: Job, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(samples, "READ_BYTES", 500)
        write_samples(ppo, *(rollout(step, f"text {step}") for step in range(100)))
        texts = [one.text for one in samples.reading_of(ppo, {}).samples]
        assert texts[0] == "text 99"
        assert 1 <= len(texts) < 6

    @pytest.mark.parametrize(
        "line",
        [
            '{"step": 1, "prompt"', "[]", "7", "null", '{"step": Infinity, "prompt": "p", "text": "t"}',
            '{"step": "x", "prompt": "p", "text": "t"}', '{"step": 1}', "[" * 100_000, "\x00\x01",
        ],
    )  # fmt: skip
    def test_a_line_that_is_no_sample_is_passed_over(self, ppo: Job, ines: Client, line: str) -> None:
        write_samples(ppo, line, rollout(2, "good"))
        assert [one.text for one in samples.reading_of(ppo, {}).samples] == ["good"]

    def test_hostile_text_is_shown_as_text(self, ppo: Job, ines: Client) -> None:
        write_samples(
            ppo, '{"step": 1, "prompt": "half \\ud800", "text": "<img src=x onerror=alert(1)>\\u0000", "score": NaN}'
        )
        answer = ines.get(url("job", ppo.pk))
        assert answer.status_code == 200
        assert "<img" not in answer.content.decode()
        assert "half ?" in answer.content.decode()

    def test_what_was_sampled_leads_to_its_prompt(self, project: Project, ines: Client) -> None:
        job = Job.objects.create(project=project, kind="sample", config={}, state="done")
        one = prompt(project, "Who?")
        for number in range(12):
            Response.objects.create(
                prompt=one, generator=generator(project), text=f"Answer {number}", sampling={"job": job.pk}
            )
        page = text_of(ines.get(url("job", job.pk)))
        assert "Answer 0" in page
        assert "Answer 11" not in page
        assert "Answer 11" in text_of(ines.get(url("job", job.pk), {"sheet": "2"}))
        assert f"{url('prompt', one.pk)}#response-" in page


class TestARecordedRound:
    @pytest.fixture
    def recorded(self, round_with_base: Round) -> Round:
        Round.objects.update(recorded="python bench/real_loop.py --seed 3")
        round_with_base.refresh_from_db()
        return round_with_base

    def test_list_and_page_say_so_with_the_command_and_offer_nothing_to_launch(
        self, recorded: Round, ines: Client
    ) -> None:
        demonstrations(recorded.project, 5)
        for kind in ("sft", "rank", "evaluate"):
            page = text_of(ines.get(url("round", 1), {"stage": kind}))
            assert "recorded" in page
            assert "python bench/real_loop.py --seed 3" in page
            assert "<form" not in page
        assert "python bench/real_loop.py --seed 3" in text_of(ines.get(url("rounds")))

    def test_nothing_of_it_is_launched_or_resumed(self, recorded: Round, ines: Client) -> None:
        answer = ines.post(url("launch", 1, "sft"))
        assert (answer.status_code, Job.objects.count()) == (400, 0)
        assert ines.post(url("launch", 1, "rank")).status_code == 400
        job = Job.objects.create(
            project=recorded.project, stage=recorded.stages.get(kind="sft"), kind="sft", config={}, state="failed"
        )
        recorded.stages.filter(kind="sft").update(job=job)
        ines.post(url("resume_job", 1, job.pk))
        assert reload(job).state == "failed"
