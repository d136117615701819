"""Alarms: what in a job's metrics is one, that it is raised once, and who hears of it."""

from typing import Any

import pytest
from django.core import mail
from django.test import TestCase

from labeling.models import User
from tests.training.making import TINY_SFT, reload
from training import jobs
from training.alarms import Lookout
from training.announcing import raise_alarm
from training.models import Alarm, Job, Round
from training.recorded.files import RECORDED, read_recording
from training.rounds import launch
from training.sweeping import sweep

Kind = Alarm.Kind


def recorded_ppo(recipe: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Config and metrics of the last PPO that the recorded rounds have of this recipe."""
    tables = read_recording(RECORDED).tables
    job, metric, stage, round_ = (tables[name] for name in ("job", "metric", "stage", "round"))
    place = max(
        at for at, kind in enumerate(job["kind"])
        if kind == "ppo" and round_["recipe"][stage["round"][job["stage"][at]]]["name"] == recipe
    )  # fmt: skip
    lines = [
        {"step": step, "split": split, **values}
        for of, step, split, values in zip(
            metric["job"], metric["step"], metric["split"], metric["values"], strict=True
        )
        if of == place
    ]
    return job["config"][place], sorted(lines, key=lambda line: line["step"])


def lines(steps: int, **values: Any) -> list[dict[str, Any]]:
    """values: a number for every step, or a function of the step."""
    return [
        {"step": step, **{key: value(step) if callable(value) else value for key, value in values.items()}}
        for step in range(1, steps + 1)
    ]


def kinds(found: list[Any]) -> list[str]:
    return [one.kind for one in found]


class TestRules:
    def test_the_over_optimised_round_is_told_of_before_half_of_its_way(self) -> None:
        config, told = recorded_ppo("overoptimised")
        found = Lookout(config).heed(told)
        assert Kind.KL in kinds(found)
        first = next(one for one in found if one.kind == Kind.KL)
        assert first.step < len(told) / 2
        assert "far from where its reward model knows its way" in first.message

    def test_a_sound_round_is_left_in_peace(self) -> None:
        config, told = recorded_ppo("rehearsal")
        assert Lookout(config).heed(told) == []

    def test_each_thing_is_told_once_however_the_lines_come(self) -> None:
        config, told = recorded_ppo("overoptimised")
        lookout = Lookout(config)
        found = [one for line in told for one in lookout.heed([line])]
        assert kinds(found) == kinds(Lookout(config).heed(told))
        assert len(set(kinds(found))) == len(found)

    def test_a_kl_near_the_one_that_ends_the_run_is_told(self) -> None:
        config = {"ppo": {"kl": {"stop_nats": 10.0}}}
        assert kinds(Lookout(config).heed(lines(5, kl_sequence=8.5, response_tokens=100))) == [Kind.KL]
        assert Lookout(config).heed(lines(5, kl_sequence=7.5, response_tokens=5)) == []

    def test_a_negative_kl_points_at_the_models(self) -> None:
        found = Lookout({}).heed(lines(5, kl_sequence=-0.8, response_tokens=20))
        assert "cannot be negative" in found[0].message
        assert "−0.8" in found[0].message

    def test_a_score_that_rises_while_the_second_reward_model_falls_is_told(self) -> None:
        parting = lines(20, score_mean=lambda step: 0.1 * step, watch_score_mean=lambda step: 1 - 0.05 * step)
        found = Lookout({}).heed(parting)
        assert kinds(found) == [Kind.SCORES_PART]
        assert "rose by 1.00" in found[0].message
        assert "fell by 0.50" in found[0].message

    def test_two_scores_that_rise_together_are_left_in_peace(self) -> None:
        together = lines(40, score_mean=lambda step: 0.1 * step, watch_score_mean=lambda step: 0.02 * step)
        assert Lookout({}).heed(together) == []

    @pytest.mark.parametrize(("after", "word"), [(160, "padding"), (40, "missing")])
    def test_a_length_that_drifts_is_told(self, after: int, word: str) -> None:
        found = Lookout({}).heed(lines(20, response_tokens=lambda step: 100 if step < 8 else after))
        assert kinds(found) == [Kind.LENGTH]
        assert word in found[0].message

    def test_a_number_that_is_not_finite_is_told_with_its_name(self) -> None:
        found = Lookout({}).heed([{"step": 3, "loss": None, "accuracy": 0.5}])
        assert [(one.kind, one.message) for one in found] == [(Kind.NOT_FINITE, "Not finite at step 3: loss.")]

    def test_a_run_that_goes_on_from_a_checkpoint_is_measured_anew(self) -> None:
        lookout = Lookout({})
        lookout.heed(lines(4, kl_sequence=50.0, response_tokens=20))
        assert lookout.heed(lines(4, kl_sequence=50.0, response_tokens=20)) == []


@pytest.fixture
def job(round_with_base: Round, owner: User, researcher: User) -> Job:
    User.objects.filter(pk=owner.pk).update(email="owner@example.org")
    User.objects.filter(pk=researcher.pk).update(email="ines@example.org")
    return launch(round_with_base, "sft", overrides=TINY_SFT, by=researcher)


def raised(job: Job, kind: Alarm.Kind = Kind.KL, **more: Any) -> None:
    with TestCase.captureOnCommitCallbacks(execute=True):
        raise_alarm(job, kind, "The KL is 30 nats.", **more)


@pytest.mark.django_db
@pytest.mark.sqlite
class TestAnnouncing:
    def test_whoever_launched_it_is_mailed_once(self, job: Job, settings: Any) -> None:
        settings.SITE_URL = "https://accord.example.org"
        raised(job)
        raised(job)
        assert Alarm.objects.count() == 1
        assert [one.to for one in mail.outbox] == [["ines@example.org"]]
        assert mail.outbox[0].subject == "Helpdesk, round 1, SFT: KL out of range"
        assert "https://accord.example.org/projects/helpdesk/rounds/1/?stage=sft#live" in mail.outbox[0].body

    def test_without_somebody_who_launched_it_the_owners_are_mailed(self, job: Job) -> None:
        Job.objects.filter(pk=job.pk).update(created_by=None)
        raised(job)
        assert [one.to for one in mail.outbox] == [["owner@example.org"]]

    def test_who_has_left_the_project_hears_nothing(self, job: Job, researcher: User) -> None:
        researcher.memberships.all().delete()
        raised(job)
        assert [one.to for one in mail.outbox] == [["owner@example.org"]]

    def test_a_mail_server_that_does_not_answer_costs_no_alarm(self, job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(*arguments: Any, **more: Any) -> None:
            raise ConnectionRefusedError("no")

        monkeypatch.setattr("training.announcing.send_mail", refuse)
        raised(job)
        assert Alarm.objects.get().message == "The KL is 30 nats."

    def test_a_failed_stage_is_an_alarm_with_its_sentence(self, job: Job) -> None:
        claim = jobs.claim(job.pk, "w1")
        assert claim
        with jobs.holding(claim):
            jobs.end(claim, Job.State.FAILED, error={"code": "data_refused", "message": "row 3 is empty"})
        assert [(one.kind, one.message) for one in Alarm.objects.all()] == [("failed", "row 3 is empty")]

    def test_a_worker_that_is_gone_is_told_by_the_sweep_and_not_again_by_the_next_worker(
        self, job: Job, settings: Any
    ) -> None:
        settings.JOB_LEASE_SECONDS = -5
        assert jobs.claim(job.pk, "w1")
        sweep()
        assert "w1 was not heard of" in Alarm.objects.get().message
        settings.JOB_LEASE_SECONDS = 60
        assert jobs.claim(job.pk, "w2")
        assert [one.attempt for one in Alarm.objects.all()] == [1]
        assert reload(job).attempt == 2
