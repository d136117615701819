"""The console's pages about rounds: who may see them, what they show, what they refuse in a sentence."""

from html import unescape
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from labeling.models import Campaign, Project, User
from tests.conftest import signed_in
from tests.labeling.work import make_campaign, make_labeler, must_claim, ranked, submit_now
from tests.training.making import TINY_SFT, demonstrations, reload
from tests.training.test_settle import sft_is_done
from training import jobs
from training.following import store_metrics
from training.models import Alarm, Job, Round
from training.rounds import launch, open_round
from training.run_folders import run_folder

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]


@pytest.fixture
def job(round_with_base: Round) -> Job:
    return launch(round_with_base, "sft", overrides=TINY_SFT)


@pytest.fixture
def ines(researcher: User) -> Client:
    return signed_in(researcher)


def url(name: str, *arguments: Any) -> str:
    return reverse(name, args=["helpdesk", *arguments])


def every_address(job: Job) -> list[tuple[str, str]]:
    reads = [("get", url("rounds")), ("get", url("round", 1))]
    reads += [("get", url(name, 1, job.pk)) for name in ("job_metrics", "job_log")]
    writes = [("post", url("rounds")), ("post", url("launch", 1, "sft")), ("post", url("close_round", 1))]
    return reads + writes + [("post", url(f"{name}_job", 1, job.pk)) for name in ("cancel", "pause", "resume")]


def text_of(answer: Any) -> str:
    return unescape(answer.content.decode())


class TestWhoMaySeeThem:
    def test_a_stranger_meets_404_at_every_address(self, job: Job, stranger: User) -> None:
        client = signed_in(stranger)
        assert {getattr(client, method)(address).status_code for method, address in every_address(job)} == {404}

    def test_a_labeler_meets_403_at_every_address(self, job: Job, labeler: User) -> None:
        client = signed_in(labeler)
        assert {getattr(client, method)(address).status_code for method, address in every_address(job)} == {403}

    def test_somebody_not_signed_in_is_asked_to(self, job: Job) -> None:
        for method, address in every_address(job):
            answer = getattr(Client(), method)(address)
            assert answer.status_code == 302
            assert answer.url.startswith("/accounts/login/")

    def test_owner_and_researcher_read_them(self, job: Job, owner: User, ines: Client) -> None:
        for client in (signed_in(owner), ines):
            reads = [address for method, address in every_address(job) if method == "get"]
            assert {client.get(address).status_code for address in reads} == {200}

    def test_nothing_is_changed_by_a_get(self, job: Job, ines: Client) -> None:
        writes = [address for method, address in every_address(job) if method == "post" and address != url("rounds")]
        assert {ines.get(address).status_code for address in writes} == {405}

    def test_a_post_without_the_csrf_token_is_refused(self, job: Job, researcher: User) -> None:
        client = Client(enforce_csrf_checks=True)
        client.force_login(researcher)
        assert client.post(url("cancel_job", 1, job.pk)).status_code == 403
        assert reload(job).state == "queued"

    def test_a_job_of_another_projects_round_is_not_found_through_ones_own(
        self, job: Job, stranger: User, ines: Client
    ) -> None:
        other = open_round(Project.objects.get(slug="elsewhere"))
        theirs = Job.objects.create(
            project=other.project, stage=other.stages.get(kind="pretrain"), kind="pretrain", config={}
        )
        assert ines.get(url("job_metrics", 1, theirs.pk)).status_code == 404
        assert ines.post(url("cancel_job", 1, theirs.pk)).status_code == 404
        assert ines.get(url("round", 2)).status_code == 404


class TestOpening:
    def test_a_round_is_opened_from_the_form(self, project: Project, ines: Client, researcher: User) -> None:
        answer = ines.post(url("rounds"), {"recipe": "tiny", "base": "", "simulated": "only"})
        assert answer.url == url("round", 1)
        opened = Round.objects.get()
        assert (opened.created_by, opened.recipe["simulated"]) == (researcher, "only")
        assert [stage.kind for stage in opened.stages.all()][:2] == ["pretrain", "sft"]

    def test_a_base_model_that_does_not_exist_is_refused_where_it_was_typed(
        self, project: Project, ines: Client
    ) -> None:
        answer = ines.post(url("rounds"), {"recipe": "tiny", "base": "no-such-model"})
        assert answer.status_code == 400
        assert "There is no base model 'no-such-model'." in text_of(answer)
        assert 'value="no-such-model"' in text_of(answer)
        assert not Round.objects.exists()

    def test_an_unknown_recipe_is_refused(self, project: Project, ines: Client) -> None:
        assert "There is no recipe 'huge'" in text_of(ines.post(url("rounds"), {"recipe": "huge"}))


def ranked_round(project: Project) -> Round:
    """A round whose responses are being ranked: one of two rankings is in."""
    round_ = open_round(project, base="base")
    campaign = make_campaign(project, tasks=2)
    submit_now(must_claim(campaign, make_labeler(project, f"ranker {round_.number}")), ranked(1, 2, 3, 4))
    round_.stages.filter(kind="rank").update(campaign=campaign, state="running")
    return round_


class TestTheList:
    def test_it_shows_a_page_of_rounds_and_leads_to_the_others(
        self, round_with_base: Round, ines: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("training.views.rounds.ROUNDS_A_PAGE", 2)
        for _ in range(4):
            open_round(round_with_base.project, base="base")
        first, last = text_of(ines.get(url("rounds"))), text_of(ines.get(url("rounds"), {"sheet": "3"}))
        assert "<b>Five</b> rounds. Round 5 waits for you" in first
        assert [f"Round {number}</a>" in first for number in range(1, 6)] == [False, False, False, True, True]
        assert 'rel="next" href="?sheet=2"' in first
        assert [f"Round {number}</a>" in last for number in range(1, 6)] == [True, False, False, False, False]
        assert "<b>Five</b> rounds. </h1>" in last
        assert 'rel="prev" href="?sheet=2"' in last

    def test_it_says_how_far_the_people_of_each_round_are(self, round_with_base: Round, ines: Client) -> None:
        ranked_round(round_with_base.project)
        cards = {card.kind: card for card in ines.get(url("rounds")).context["rounds"][0][1]}
        assert cards["rank"].facts[0] == "1 of 2 rankings"

    def test_it_costs_the_same_however_many_rounds_there_are(self, round_with_base: Round, ines: Client) -> None:
        ranked_round(round_with_base.project)
        ines.get(url("rounds"))
        with CaptureQueriesContext(connection) as few:
            ines.get(url("rounds"))
        for _ in range(4):
            ranked_round(round_with_base.project)
        with CaptureQueriesContext(connection) as many:
            ines.get(url("rounds"))
        assert len(many) == len(few)


class TestLaunching:
    def test_the_form_holds_the_recipes_defaults(self, round_with_base: Round, ines: Client) -> None:
        page = text_of(ines.get(url("round", 1)))
        assert 'name="optimizer.learning_rate" value="0.001"' in page
        assert 'name="sft.epochs" value="4"' in page
        assert "Demonstrations, train</dt><dd>20<" in page

    def test_what_was_typed_is_what_the_job_is_told(self, round_with_base: Round, ines: Client) -> None:
        form = {"optimizer.learning_rate": "2e-3", "sft.epochs": "3", "config": '{"sft": {"sequences_per_step": 5}}'}
        answer = ines.post(url("launch", 1, "sft"), form)
        assert answer.url == f"{url('round', 1)}?stage=sft#live"
        config = Job.objects.get().config
        assert (config["optimizer"]["learning_rate"], config["sft"]["epochs"]) == (2e-3, 3)
        assert config["sft"]["sequences_per_step"] == 5

    @pytest.mark.parametrize(
        ("form", "sentence"),
        [
            ({"optimizer.learning_rate": "-1"}, "optimizer.learning_rate is -1; expected a number above 0"),
            ({"sft.epochs": "many"}, 'sft.epochs is "many"; expected a whole number'),
            ({"config": '{"warmup": 3}'}, "warmup is not a known key"),
            ({"config": "{epochs: 3}"}, "The config as JSON cannot be read"),
            ({"config": "[1]"}, "The config as JSON is [1]; expected an object"),
            ({"config": '{"data": {"train": ["x"]}}'}, "data is decided by the round"),
            ({"sft.sequences_per_step": "32"}, "There are 20 demonstrations of split train, and one step"),
        ],
    )
    def test_what_cannot_be_is_refused_in_a_sentence_and_kept_in_the_form(
        self, round_with_base: Round, ines: Client, form: dict[str, str], sentence: str
    ) -> None:
        answer = ines.post(url("launch", 1, "sft"), form)
        assert answer.status_code == 400
        assert sentence in text_of(answer)
        assert all(value in text_of(answer) for value in form.values())
        assert not Job.objects.exists()

    def test_a_stage_whose_input_is_missing_says_what_to_run_first(self, round_with_base: Round, ines: Client) -> None:
        page = text_of(ines.get(url("round", 1) + "?stage=ppo"))
        assert "PPO needs a checkpoint of SFT, and round 1 has none yet. Run SFT first." in page

    @pytest.mark.parametrize("overlap", ["²", "٣", "many", "", "0", "101", "9" * 5000])
    def test_people_who_rank_are_counted_in_plain_digits(
        self, round_with_base: Round, ines: Client, overlap: str
    ) -> None:
        answer = ines.post(url("launch", 1, "rank"), {"overlap": overlap})
        assert answer.status_code == 400
        assert "expected a whole number from 1 to 100." in text_of(answer)
        assert not Campaign.objects.exists()

    def test_an_unknown_stage_is_not_found(self, round_with_base: Round, ines: Client) -> None:
        assert ines.post(url("launch", 1, "sleep")).status_code == 404
        assert ines.post(url("launch", 1, "pretrain")).status_code == 404

    def test_evaluate_says_what_it_waits_for(self, round_with_base: Round, ines: Client) -> None:
        page = text_of(ines.get(url("round", 1) + "?stage=evaluate"))
        assert "Evaluate needs a checkpoint of SFT, and round 1 has none yet." in page
        assert ines.post(url("launch", 1, "evaluate")).status_code == 400


class TestAJob:
    def test_pause_cancel_and_resume_are_asked_from_the_page(self, job: Job, ines: Client) -> None:
        ines.post(url("pause_job", 1, job.pk))
        assert reload(job).state == "paused"
        ines.post(url("resume_job", 1, job.pk))
        assert reload(job).state == "queued"
        ines.post(url("cancel_job", 1, job.pk))
        assert reload(job).state == "cancelled"

    def test_a_refusal_is_read_on_the_page(self, job: Job, ines: Client) -> None:
        page = ines.post(url("resume_job", 1, job.pk), follow=True)
        assert f"Job {job.pk} is queued; only a paused or failed job can be resumed." in text_of(page)

    def test_its_metrics_come_from_a_step_on(self, job: Job, ines: Client) -> None:
        store_metrics(job.pk, [{"step": step, "loss": float(step)} for step in range(1, 5)])
        answer = ines.get(url("job_metrics", 1, job.pk), {"after": 3}).json()
        assert answer["rows"] == [[3, "train", {"loss": 3.0}], [4, "train", {"loss": 4.0}]]
        assert (answer["state"], answer["ended"]) == ("queued", False)

    def test_an_alarm_that_nobody_has_seen_comes_with_them(self, job: Job, ines: Client) -> None:
        first = ines.get(url("job_metrics", 1, job.pk)).json()
        assert first["alarm"] is None
        alarm = Alarm.objects.create(job=job, kind="stalled", message="No step for 11 min.")
        answer = ines.get(url("job_metrics", 1, job.pk), {"mark": first["mark"]}).json()
        assert answer["alarm"] == {"id": alarm.pk, "kind": "No step for long", "message": "No step for 11 min."}
        Alarm.objects.update(seen_at=timezone.now())
        assert ines.get(url("job_metrics", 1, job.pk)).json()["alarm"] is None

    @pytest.mark.parametrize("after", ["x", "1e9", "9" * 20, "--5", "²", "٣"])
    def test_a_step_that_is_none_is_refused(self, job: Job, ines: Client, after: str) -> None:
        assert ines.get(url("job_metrics", 1, job.pk), {"after": after}).status_code == 400

    def test_many_steps_are_thinned_and_held_out_points_kept(self, job: Job, ines: Client) -> None:
        lines = [{"step": step, "loss": 1.0} for step in range(1, 4001)]
        store_metrics(job.pk, [*lines, {"step": 7, "split": "valid", "loss": 2.0}])
        rows = ines.get(url("job_metrics", 1, job.pk)).json()["rows"]
        assert 1000 < len(rows) < 1600
        assert [7, "valid", {"loss": 2.0}] in rows

    def test_the_curve_is_drawn_without_script_too(self, job: Job, ines: Client) -> None:
        store_metrics(job.pk, [{"step": step, "loss": 5.0 - step} for step in range(1, 4)])
        page = text_of(ines.get(url("round", 1)))
        assert 'data-curve="loss"' in page
        assert 'class="line line--raw" d="M' in page

    def test_a_failure_is_shown_with_its_sentence(self, job: Job, ines: Client) -> None:
        claim = jobs.claim(job.pk, "w")
        assert claim
        with jobs.holding(claim):
            jobs.end(claim, "failed", error={"code": "not_finite", "message": "loss is nan at step 7"})
        page = text_of(ines.get(url("round", 1)))
        assert "loss is nan at step 7" in page
        assert "Resume SFT" in page

    def test_what_a_stage_printed_and_sampled_is_shown_as_text(self, job: Job, ines: Client) -> None:
        jobs.claim(job.pk, "w")
        folder = run_folder(job)
        folder.rank_log(1).parent.mkdir(parents=True)
        folder.rank_log(1).write_text("<script>alert(1)</script>\n")
        folder.metrics.write_text('{"step": 2, "attempt": 1, "loss": 3.25}\n')
        folder.events.write_text('{"kind": "checkpoint", "step": 2, "at": "2026-11-23T02:11:09Z", "attempt": 1}\n')
        folder.samples.write_text('{"step": 3, "prompt": "Why?", "text": "<img src=x onerror=alert(2)>"}\n{"cut')
        page = ines.get(url("round", 1)).content.decode()
        assert "&lt;script&gt;alert(1)" in page
        assert "&lt;img src=x" in page
        assert "<script>alert" not in page
        assert "step 2  loss 3.25" in page
        assert "02:11:09  step 2  checkpoint" in page
        whole = ines.get(url("job_log", 1, job.pk))
        assert whole.headers["Content-Type"] == "text/plain; charset=utf-8"
        assert whole.headers["X-Content-Type-Options"] == "nosniff"

    def test_a_finished_stage_shows_figures_and_checkpoint(self, round_with_base: Round, ines: Client) -> None:
        job = sft_is_done(round_with_base)
        Job.objects.filter(pk=job.pk).update(report={"best": {"validation_loss": 1.2345}})
        page = text_of(ines.get(url("round", 1) + "?stage=sft"))
        assert "r1-sft" in page
        assert "1.234" in page or "1.235" in page
        assert "Run SFT again" in page

    def test_the_reward_models_accuracy_stands_beside_length_with_intervals(
        self, round_with_base: Round, ines: Client
    ) -> None:
        sft_is_done(round_with_base)
        stage = round_with_base.stages.get(kind="reward")
        accuracy = {"mean": 0.612, "low": 0.55, "high": 0.67}
        longer = {"mean": 0.58, "low": 0.51, "high": 0.65}
        report = {"validation": {"accuracy": accuracy, "longer_is_better": longer}}
        job = Job.objects.create(
            project=stage.round.project, stage=stage, kind="reward", config={}, state="done", report=report
        )
        stage.job, stage.state = job, "done"
        stage.save()
        page = text_of(ines.get(url("round", 1) + "?stage=reward"))
        assert "0.612" in page
        assert "0.550 to 0.670" in page
        assert page.index("0.612") < page.index("If the longer one were always better") < page.index("0.580")


def test_a_page_costs_few_queries_however_many_steps_there_are(
    round_with_base: Round, ines: Client, django_assert_max_num_queries: Any
) -> None:
    job = sft_is_done(round_with_base)
    store_metrics(job.pk, [{"step": step, "loss": 1.0} for step in range(1, 500)])
    demonstrations(round_with_base.project, 5)
    with django_assert_max_num_queries(30):
        ines.get(url("round", 1) + "?stage=sft")
