"""A stage that could not start by itself: said once, tried again, and no other round waits for it."""

from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from django.core import mail
from django.db.models.functions import Now
from django.test import TestCase
from django.urls import reverse

from labeling.models import Project, User
from tests.conftest import signed_in
from tests.training.making import TINY_SFT, base_model_folder, demonstrations
from training import self_running, sweeping, tasks, waiting
from training.models import Alarm, Job, Round, Stage
from training.rounds import launch, open_round
from training.self_running import TRIED_AGAIN_AFTER, set_running
from training.sweeping import sweep

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]


@pytest.fixture
def empty_round(project: Project, settings: Any, owner: User) -> Round:
    """It runs itself, and there is nothing to learn from."""
    User.objects.filter(pk=owner.pk).update(email="owner@example.org")
    base_model_folder(settings.MODELS_DIR / "base")
    return open_round(project, base="base", changes={"sft": TINY_SFT}, runs_itself=True)


def sft_of(round_: Round) -> Stage:
    return round_.stages.get(kind="sft")


def swept() -> None:
    with TestCase.captureOnCommitCallbacks(execute=True):
        sweep()


def some_time_later() -> None:
    Stage.objects.update(refused_at=Now() - TRIED_AGAIN_AFTER - timedelta(seconds=1))


def test_a_number_to_wait_for_mends_it_and_the_stage_runs_once_it_is_reached(
    empty_round: Round, project: Project
) -> None:
    swept()
    assert "There are 0 demonstrations" in sft_of(empty_round).refusal
    waiting.set_enough(empty_round, "sft", 20)
    assert (sft_of(empty_round).state, sft_of(empty_round).refusal) == ("waiting", "")
    demonstrations(project, 20)
    swept()
    assert (sft_of(empty_round).state, sft_of(empty_round).refusal) == ("running", "")
    assert Alarm.objects.get().seen_at is not None


def test_it_is_tried_again_after_a_while_and_the_newest_sentence_stands(empty_round: Round, project: Project) -> None:
    swept()
    demonstrations(project, 2)
    swept()
    assert "There are 0 demonstrations" in sft_of(empty_round).refusal
    some_time_later()
    swept()
    assert "There are 2 demonstrations" in sft_of(empty_round).refusal
    assert "There are 2 demonstrations" in Alarm.objects.get().message
    demonstrations(project, 18)
    some_time_later()
    swept()
    assert sft_of(empty_round).state == "running"


def test_switched_on_anew_it_is_tried_at_once(empty_round: Round, project: Project) -> None:
    swept()
    demonstrations(project, 20)
    set_running(empty_round, by_itself=False)
    set_running(empty_round, by_itself=True)
    swept()
    assert sft_of(empty_round).state == "running"


def test_it_is_mailed_and_stands_on_the_page_until_it_is_seen(
    empty_round: Round, researcher: User, stranger: User
) -> None:
    for _ in range(2):
        swept()
        some_time_later()
    assert [one.subject for one in mail.outbox] == ["Helpdesk, round 1, SFT: Stage not started"]
    assert "/projects/helpdesk/rounds/1/?stage=sft#live" in mail.outbox[0].body
    alarm = Alarm.objects.get()
    page, seen = reverse("round", args=["helpdesk", 1]), reverse("alarm_seen", args=["helpdesk", alarm.pk])
    ines = signed_in(researcher)
    words = unescape(ines.get(page).content.decode())
    assert f'action="{seen}"' in words
    assert "There are 0 demonstrations" in words
    assert signed_in(stranger).post(seen).status_code == 404
    assert ines.post(seen).url == page
    assert f'action="{seen}"' not in ines.get(page).content.decode()
    some_time_later()
    swept()
    assert Alarm.objects.count() == 1
    assert len(mail.outbox) == 1


def test_a_launch_by_hand_takes_the_alarm_back(empty_round: Round, project: Project) -> None:
    swept()
    demonstrations(project, 20)
    launch(empty_round, "sft")
    assert Alarm.objects.get().seen_at is not None


class TestOneRoundThatIsBroken:
    @pytest.fixture
    def beside(self, empty_round: Round, project: Project) -> Round:
        """A good round, opened after one that fails in a way nobody thought of."""
        demonstrations(project, 20)
        return open_round(project, base="base", changes={"sft": TINY_SFT}, runs_itself=True)

    def break_it(self, monkeypatch: pytest.MonkeyPatch, name: str, round_: Round) -> None:
        works = getattr(self_running, name)

        def broken(asked: Round, *arguments: Any, **more: Any) -> Any:
            if asked.pk == round_.pk:
                raise KeyError("tokens")
            return works(asked, *arguments, **more)

        monkeypatch.setattr(self_running, name, broken)

    def test_its_stage_says_so_and_the_other_round_starts(
        self, empty_round: Round, beside: Round, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.break_it(monkeypatch, "launch", empty_round)
        swept()
        assert "It failed to start: KeyError: 'tokens'" in sft_of(empty_round).refusal
        assert sft_of(beside).state == "running"

    def test_an_error_around_it_stops_no_other_round(
        self, empty_round: Round, beside: Round, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.break_it(monkeypatch, "advance", empty_round)
        swept()
        assert sft_of(beside).state == "running"

    def test_a_duty_that_fails_keeps_no_other_from_being_done(
        self, beside: Round, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sweeping, "release_expired", broken_duty)
        swept()
        assert sft_of(beside).state == "running"

    def test_a_lapsed_job_is_rung_for_whatever_fails_in_the_sweep(
        self, beside: Round, monkeypatch: pytest.MonkeyPatch, settings: Any
    ) -> None:
        settings.REDIS_URL = "redis://nowhere"
        job = launch(beside, "sft")
        Job.objects.filter(pk=job.pk).update(state="running", lease_until=Now() - timedelta(minutes=1))
        rung: list[int] = []
        monkeypatch.setattr(tasks.run_job, "apply_async", lambda arguments, **how: rung.append(arguments[0]))
        monkeypatch.setattr(tasks, "keep_going", broken_duty)
        with TestCase.captureOnCommitCallbacks(execute=True):
            tasks.tend()
        assert rung == [job.pk]


def broken_duty() -> None:
    raise RuntimeError("nobody thought of this")
