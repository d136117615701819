"""The stage evaluate: models answer held-out prompts, people rate what they wrote, blind, and then it is done."""

from collections import Counter
from typing import Any

import pytest

from labeling.checking import Said, Work
from labeling.errors import KeptOut
from labeling.models import Campaign, Project, Response, TaskResponse, User
from labeling.opening import close_campaign
from tests.labeling.work import make_labeler, must_claim, submit_now
from tests.training.evaluated import (
    SCALES,
    answered,
    answered_by_all,
    asked,
    checkpoint,
    held_out,
    rating_guideline,
    row,
    trained,
)
from tests.training.making import demonstrations, reload, writer
from training.contenders import EvaluationChoices
from training.errors import LaunchRefused
from training.models import Checkpoint, Job, Round, Snapshot, Stage
from training.rounds import launch, open_round
from training.sweeping import sweep

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]


@pytest.fixture
def ready(round_with_base: Round, settings: Any) -> Round:
    """Trained, with five held-out prompts and a guideline to rate by."""
    rating_guideline(round_with_base.project)
    held_out(round_with_base.project, 5)
    return trained(round_with_base, settings)


def evaluate(round_: Round, *, sample: dict[str, Any] | None = None, seed: int = 1, **choices: Any) -> Job:
    overrides = {"sample": sample or {}, "seed": seed}
    return launch(round_, "evaluate", overrides=overrides, choices=EvaluationChoices(**choices))


def stage_of(round_: Round) -> Stage:
    return round_.stages.select_related("campaign").get(kind="evaluate")


def campaign_of(round_: Round) -> Campaign:
    campaign = stage_of(round_).campaign
    assert campaign is not None
    return campaign


def rate(campaign: Campaign, labeler: Any, overall: int = 4) -> None:
    ratings = {scale["name"]: overall for scale in SCALES}
    submit_now(must_claim(campaign, labeler), Work(responses={"A": Said(ratings=ratings)}))


class TestTheLaunch:
    def test_base_sft_and_policy_are_asked_and_the_base_model_in_plain_text(self, ready: Round) -> None:
        job = evaluate(ready)
        assert (job.kind, job.stage) == ("sample", stage_of(ready))
        assert job.config["models"]["generators"] == {
            "base": "models/generators.base", "sft": "models/generators.sft", "policy": "models/generators.policy",
        }  # fmt: skip
        models = {one.role: one.checkpoint.name for one in job.inputs.filter(checkpoint__isnull=False)}  # type: ignore[union-attr]
        assert models == {"generators.base": "base", "generators.sft": "r1-sft", "generators.policy": "r1-ppo"}
        sample = job.config["sample"]
        assert sample["formats"] == {"base": "plain"}
        assert (sample["temperature"], sample["responses_per_prompt"], sample["limit_prompts"]) == (1.0, 1, 100)
        assert stage_of(ready).state == "running"

    def test_a_round_that_starts_from_a_model_that_knows_chats_asks_it_as_one(self, ready: Round) -> None:
        Checkpoint.objects.filter(name="base").update(kind="sft")
        assert evaluate(ready).config["sample"]["formats"] == {}

    def test_held_out_prompts_are_drawn_by_the_seed(self, ready: Round) -> None:
        def drawn(limit: int, seed: int) -> list[int]:
            job = evaluate(ready, sample={"limit_prompts": limit}, seed=seed)
            found = asked(job)
            Job.objects.filter(pk=job.pk).update(state="cancelled")
            return found

        held_out(ready.project, 15)
        first = drawn(6, 1)
        assert len(first) == 6
        assert set(first) <= set(ready.project.prompts.filter(split="test").values_list("pk", flat=True))
        assert drawn(6, 1) == first
        assert drawn(6, 2) != first
        assert set(first) < set(drawn(9, 1))

    def test_other_checkpoints_are_asked_too_each_once(self, ready: Round, settings: Any) -> None:
        other = trained(open_round(ready.project, base="base"), settings)
        policy = Checkpoint.objects.get(name="r2-ppo")
        base = Checkpoint.objects.get(name="base")
        job = evaluate(ready, others=(policy.pk, policy.pk, base.pk), without=("sft",))
        assert set(job.config["models"]["generators"]) == {"base", "policy", f"other-{policy.pk}"}
        assert other.number == 2

    @pytest.mark.parametrize(
        ("choices", "sentence"),
        [
            ({"without": ("base", "sft")}, "Fewer than two are left to be compared"),
            ({"without": ("gpt",)}, "'gpt' cannot be left out; expected one of base, sft, policy"),
            ({"overlap": 0}, "The overlap is 0; expected a whole number from 1 to 100"),
            ({"others": (999_999,)}, "There is no checkpoint 999999 in this project"),
            ({"humans": True}, "Nobody has written a demonstration to a held-out prompt"),
        ],
    )
    def test_choices_that_cannot_be_are_refused_in_a_sentence(
        self, ready: Round, choices: dict[str, Any], sentence: str
    ) -> None:
        before = Job.objects.count()
        with pytest.raises(LaunchRefused, match=sentence):
            evaluate(ready, **choices)
        assert (Job.objects.count(), Snapshot.objects.count()) == (before, 0)

    def test_a_checkpoint_of_another_project_is_not_found(self, ready: Round, stranger: User) -> None:
        theirs = Checkpoint.objects.create(project=Project.objects.get(slug="elsewhere"), kind="sft", name="x", uri="x")
        with pytest.raises(LaunchRefused, match="There is no checkpoint"):
            evaluate(ready, others=(theirs.pk,))

    def test_without_a_guideline_nothing_is_computed(self, ready: Round) -> None:
        ready.project.guidelines.all().delete()
        with pytest.raises(
            LaunchRefused, match=r"no published guideline for rating\. Publish one with the scales over"
        ):
            evaluate(ready)
        rating_guideline(ready.project, scales=SCALES[:3])
        with pytest.raises(LaunchRefused, match="version 1, has no scale 'on_topic'. Publish another version"):
            evaluate(ready)
        assert not Snapshot.objects.exists()

    def test_without_held_out_prompts_it_says_so(self, ready: Round) -> None:
        ready.project.prompts.filter(split="test").delete()
        with pytest.raises(LaunchRefused, match="There are 0 prompts of split test"):
            evaluate(ready)


class TestTheCampaign:
    def test_every_response_is_a_task_in_a_blind_campaign(self, ready: Round) -> None:
        job = answered_by_all(evaluate(ready, overlap=3))
        campaign = campaign_of(ready)
        assert job.state == "done"
        assert (campaign.kind, campaign.state, campaign.overlap, campaign.blind) == ("rating", "open", 3, True)
        assert campaign.required == ["ratings"]
        assert campaign.name == "Round 1: rate"
        shown = Counter(
            TaskResponse.objects.filter(task__campaign=campaign).values_list("response__generator__name", flat=True)
        )
        assert shown == {"base": 5, "r1-sft": 5, "r1-ppo": 5}
        assert job.report["rating"] == {  # type: ignore[index]
            "campaign": campaign.pk, "prompts": 5, "responses": 15, "human": 0, "prompts_left_out": 0,
        }  # fmt: skip
        one = Response.objects.filter(generator__name="r1-ppo").earliest("pk")
        assert (one.sampling["job"], one.sampling["temperature"]) == (job.pk, 1.0)

    def test_responses_to_one_prompt_are_met_apart_and_no_generator_comes_always_first(self, ready: Round) -> None:
        held_out(ready.project, 15)
        answered_by_all(evaluate(ready))
        tasks = list(campaign_of(ready).tasks.order_by("position").prefetch_related("responses"))
        prompts = [task.prompt_id for task in tasks]
        assert all(len(set(prompts[start : start + 20])) == 20 for start in (0, 20, 40))
        first = {task.responses.get().generator.name for task in tasks[:20]}  # type: ignore[union-attr]
        assert len(first) == 3
        assert prompts[:20] != sorted(prompts[:20])

    def test_empty_and_cut_answers_are_rated_and_a_text_twice_by_one_is_rated_once(self, ready: Round) -> None:
        job = evaluate(ready, without=("base",), sample={"responses_per_prompt": 2})
        rows = []
        for pk in asked(job):
            rows += [row(pk, "sft", "Same.", copy=0), row(pk, "sft", "Same.", copy=1)]
            rows += [row(pk, "policy", "Same.", copy=0), row(pk, "policy", "", finish="length", copy=1)]
        answered(job, rows)
        texts = Counter(
            TaskResponse.objects.filter(task__campaign=campaign_of(ready)).values_list(
                "response__generator__name", "response__text"
            )
        )
        assert texts == {("r1-sft", "Same."): 5, ("r1-ppo", "Same."): 5, ("r1-ppo", ""): 5}

    def test_a_prompt_that_one_generator_could_not_be_asked_is_left_out_for_all(self, ready: Round) -> None:
        job = evaluate(ready)
        first, *others = asked(job)
        rows = [row(pk, name) for pk in others for name in ("base", "sft", "policy")]
        job = answered(job, [*rows, row(first, "sft"), row(first, "policy")])
        assert campaign_of(ready).tasks.count() == 12
        assert not campaign_of(ready).tasks.filter(prompt=first).exists()
        assert job.report["rating"]["prompts_left_out"] == 1  # type: ignore[index]

    def test_where_no_prompt_was_answered_by_all_the_job_fails_and_nothing_is_kept(self, ready: Round) -> None:
        job = evaluate(ready)
        job = answered(job, [row(pk, "sft") for pk in asked(job)])
        assert job.state == "failed"
        assert "no prompt was answered by every generator" in job.error["message"]  # type: ignore[index]
        assert stage_of(ready).state == "failed"
        assert not Campaign.objects.exists()
        assert not Response.objects.filter(generator__isnull=False).exists()

    def test_human_demonstrations_to_the_same_prompts_are_rated_among_the_others(self, ready: Round) -> None:
        asked_prompts = list(ready.project.prompts.filter(split="test"))
        for prompt in asked_prompts[:3]:
            for text in ("  ", "By hand.", "Later."):
                Response.objects.create(prompt=prompt, labeler=writer(ready.project), text=text)
        simulated = writer(ready.project, "Robot", source="simulated")
        Response.objects.create(prompt=asked_prompts[4], labeler=simulated, text="Beep.")
        demonstrations(ready.project, 2)
        job = answered_by_all(evaluate(ready, humans=True))
        human = campaign_of(ready).tasks.filter(responses__labeler__isnull=False)
        assert [task.responses.get().text for task in human] == ["By hand."] * 3
        assert job.report["rating"]["human"] == 3  # type: ignore[index]

    def test_it_is_kept_from_who_sees_generators(self, ready: Round, researcher: User) -> None:
        from labeling.assigning import claim, labeler_of

        answered_by_all(evaluate(ready))
        with pytest.raises(KeptOut):
            claim(campaign_of(ready), labeler_of(researcher.memberships.get()))

    def test_another_guideline_published_meanwhile_changes_nothing(self, ready: Round) -> None:
        job = evaluate(ready)
        rating_guideline(ready.project, version=2)
        answered_by_all(job)
        assert campaign_of(ready).guideline.version == 1


class TestTheEnd:
    def test_the_stage_is_done_when_every_response_was_rated_often_enough(self, ready: Round) -> None:
        answered_by_all(evaluate(ready, overlap=2, sample={"limit_prompts": 2}))
        campaign = campaign_of(ready)
        for name in ("ina", "ben"):
            labeler = make_labeler(ready.project, name)
            for _ in range(6):
                sweep()
                assert stage_of(ready).state == "running"
                rate(campaign, labeler)
        sweep()
        assert stage_of(ready).state == "done"

    def test_it_is_done_when_its_campaign_is_closed(self, ready: Round) -> None:
        answered_by_all(evaluate(ready))
        close_campaign(campaign_of(ready))
        sweep()
        assert stage_of(ready).state == "done"

    def test_it_runs_again_with_a_campaign_of_its_own_once_the_first_is_over(self, ready: Round) -> None:
        first = answered_by_all(evaluate(ready))
        before = campaign_of(ready)
        with pytest.raises(LaunchRefused, match="a rating campaign that is open: Round 1: rate. Close it first"):
            evaluate(ready)
        close_campaign(before)
        again = evaluate(ready)
        sweep()
        # The campaign that is closed is the one of the job before.
        assert (stage_of(ready).state, stage_of(ready).campaign) == ("running", before)
        answered_by_all(again)
        assert campaign_of(ready).name == "Round 1: rate (2)"
        jobs_shown = set(campaign_of(ready).tasks.values_list("responses__sampling__job", flat=True))
        assert jobs_shown == {again.pk}
        assert reload(first).report["rating"]["campaign"] == before.pk  # type: ignore[index]


def test_a_second_rounds_policy_meets_the_firsts(ready: Round, settings: Any) -> None:
    second = open_round(ready.project, base="base")
    checkpoint(second, settings, kind="sft", model="sft")
    checkpoint(second, settings, kind="ppo", model="policy")
    second.stages.exclude(kind="evaluate").update(state="done")
    second.stages.filter(kind="evaluate").update(state="ready")
    first_policy = Checkpoint.objects.get(name="r1-ppo")
    answered_by_all(evaluate(second, others=(first_policy.pk,)))
    campaign = stage_of(second).campaign
    assert campaign is not None
    names = set(campaign.tasks.values_list("responses__generator__name", flat=True))
    assert names == {"base", "r2-sft", "r2-ppo", "r1-ppo"}
