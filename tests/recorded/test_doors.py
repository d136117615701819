"""Nothing of recorded rounds is launched, resumed, trained on or compared with; what is exported is marked."""

import json

import pytest
from django.urls import reverse

from labeling.datasets import Selection, lines_of
from labeling.models import Project, User
from labeling.records import Kind
from tests.conftest import signed_in
from training.contenders import others
from training.errors import JobRefused, LaunchRefused, RoundRefused
from training.jobs import resume
from training.models import Checkpoint, Job, Round, Stage
from training.recorded.loading import SLUG
from training.rehearsing import Settings, policies, rehearse
from training.rounds import close_round, launch, open_ranking_campaign, open_round
from training.sweeping import keep_going, sweep

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]


def second(project: Project) -> Round:
    return project.rounds.get(number=2)


@pytest.mark.parametrize("kind", ["sft", "sample", "reward", "ppo", "evaluate"])
def test_no_stage_is_launched(loaded: Project, kind: str) -> None:
    with pytest.raises(LaunchRefused, match="was run elsewhere"):
        launch(second(loaded), kind)


def test_no_ranking_campaign_is_opened(loaded: Project) -> None:
    with pytest.raises(LaunchRefused, match="was run elsewhere"):
        open_ranking_campaign(second(loaded))


def test_no_job_is_resumed(loaded: Project) -> None:
    job = Job.objects.get(project=loaded, stage__kind="ppo")
    Job.objects.filter(pk=job.pk).update(state="failed")
    with pytest.raises(JobRefused, match="was run elsewhere"):
        resume(job)


def test_it_is_not_closed_either(loaded: Project) -> None:
    with pytest.raises(RoundRefused, match="was run elsewhere and stays as it is"):
        close_round(second(loaded))


def test_no_round_starts_from_its_models(loaded: Project) -> None:
    policy = Checkpoint.objects.get(project=loaded, kind="policy")
    with pytest.raises(RoundRefused, match="nothing runs here"):
        open_round(loaded, base=policy.name)
    with pytest.raises(RoundRefused, match="nothing runs here"):
        open_round(loaded, recipe="tiny")
    with pytest.raises(RoundRefused, match="nothing runs here"):
        rehearse(loaded, Settings(prompts=60, policy=policy.pk))
    assert policies(loaded) == []
    assert loaded.rounds.count() == 2


def test_no_evaluation_compares_with_its_models(loaded: Project) -> None:
    own = Round.objects.create(project=loaded, number=9, recipe={})
    stage = Stage.objects.create(round=own, kind="evaluate", place=0)
    assert not others(stage).exists()


def test_no_worker_finds_anything_to_do(loaded: Project) -> None:
    assert sweep() == 0
    keep_going()
    assert not Job.objects.exclude(state="done").exists()
    assert not Stage.objects.exclude(state="done").exists()


def test_the_page_of_rounds_offers_no_form_and_refuses_what_is_sent_to_it(loaded: Project, rita: User) -> None:
    page, client = reverse("rounds", args=[SLUG]), signed_in(rita)
    text = client.get(page).content.decode()
    assert "nothing runs in this project" in text
    assert "Open the round" not in text
    answer = client.post(page, {"recipe": "tiny"})
    assert answer.status_code == 400
    assert "nothing runs here" in answer.content.decode()


def test_its_pages_offer_no_launch(loaded: Project, rita: User) -> None:
    for stage in second(loaded).stages.all():
        page = reverse("round", args=[SLUG, 2])
        text = signed_in(rita).get(f"{page}?stage={stage.kind}").content.decode()
        assert "/launch" not in text
        assert "/resume" not in text


def test_what_is_exported_is_marked_as_simulated_and_left_out_unasked(loaded: Project) -> None:
    for kind in (Kind.RANKING, Kind.RATING):
        assert list(lines_of(loaded, kind, Selection())) == []
        rows = [json.loads(line) for line in b"".join(lines_of(loaded, kind, Selection(simulated=True))).splitlines()]
        assert rows
        assert all(one["simulated"] for row in rows for one in row["judged"])
