"""The matrix of reward models: what it takes, what is trained, and what is shown of it."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from labeling.models import Cohort, CohortMember, Labeler, Project, Prompt, Submission
from tests.conftest import signed_in
from tests.reports.judged import ranked_campaign
from tests.training.evaluated import checkpoint
from training.cohort_models import cohort_jobs, groups_of, launch_cohort_models
from training.errors import LaunchRefused
from training.models import Job, Round
from training.rlhf.contract import records
from training.rounds import open_round
from training.run_folders import run_folder
from training.snapshots import path_of

pytestmark = pytest.mark.django_db

ADDRESS = "/projects/helpdesk/groups/"
COHORTS = {"terse": (1, 2), "warm": (2, 1)}
"""What each prefers of the two responses, in the order of storage."""


def people(cohort: str, number: int) -> list[str]:
    return [f"{cohort}-{place}" for place in range(number)]


@pytest.fixture
def judged(round_with_base: Round, settings: Any) -> Round:
    """Two cohorts of six; everybody ranked 12 held-out prompts and 4 to learn from."""
    project = round_with_base.project
    checkpoint(round_with_base, settings, kind="sft", model="sft")
    said = {name: ranks for cohort, ranks in COHORTS.items() for name in people(cohort, 6)}
    campaign = ranked_campaign(project, [said] * 16, overlap=12)
    tasks = list(campaign.tasks.order_by("position"))
    Prompt.objects.filter(tasks__in=tasks[:12]).update(split="valid")
    for cohort in COHORTS:
        made = Cohort.objects.create(project=project, name=cohort)
        for name in people(cohort, 6):
            labeler = Labeler.objects.get(project=project, pseudonym=name)
            CohortMember.objects.create(cohort=made, labeler=labeler, since=timezone.now() - timedelta(days=9))
    reward = round_with_base.recipe["stages"].setdefault("reward", {})
    reward["reward"] = {"prompts_per_step": 2}
    round_with_base.save()
    return round_with_base


def read(job: Job, role: str) -> Iterator[records.Ranking]:
    snapshot = job.inputs.get(role=role).snapshot
    assert snapshot is not None
    return records.read_rows(path_of(snapshot), records.Ranking)


def voices(job: Job, role: str) -> set[str]:
    return {said.labeler for row in read(job, role) for said in row.judged}


def pretend(job: Job) -> None:
    """The job is done: told or trained on a cohort its model likes what the cohort likes, else the first response; the
    told one knows nothing of every fourth prompt."""
    asked = job.asks["matrix"]
    rows = []
    for number, row in enumerate(read(job, "rankings_valid")):
        for condition in (None, *job.config["conditioning"]["conditions"]):
            liked = COHORTS[condition or (asked["key"] if asked["model"] == "own cohort only" else "terse")]
            if asked["model"] == "conditioned" and number % 4 == 0:
                liked = (1, 1)
            rows += [
                records.Response(
                    id=f"{row.id}/{answer.id}/{condition or ''}", prompt=row.id, text="", token_ids=(), finish="stop",
                    generator="ranked", condition=condition, scores={"reward": float(-rank)},
                )
                for answer, rank in zip(row.responses, liked, strict=True)
            ]  # fmt: skip
    folder = run_folder(job)
    folder.output("validation_scores").parent.mkdir(parents=True)
    records.write_rows(folder.output("validation_scores"), rows)
    Job.objects.filter(pk=job.pk).update(state="done")


def test_no_model_learns_from_the_held_out_and_each_from_whom_it_should(judged: Round) -> None:
    held_out = {group.key: set(group.held_out) for group in groups_of(judged)}
    assert {key: len(some) for key, some in held_out.items()} == {"terse": 3, "warm": 3}
    names = dict(Labeler.objects.values_list("pseudonym", "pk"))
    made = {job.asks["matrix"]["name"]: job for job in launch_cohort_models(judged)}
    # Both cohorts made as many rankings: one model of as many of everybody's does for both.
    assert list(made) == ["all", "all, at equal n: terse", "own cohort only: terse", "own cohort only: warm",
                          "conditioned"]  # fmt: skip
    everybody_held_out = held_out["terse"] | held_out["warm"]
    for name, job in made.items():
        assert not {names[one] for one in voices(job, "rankings_train")} & everybody_held_out, name
        assert {names[one] for one in voices(job, "rankings_valid")} == everybody_held_out, name
    assert {one.split("-")[0] for one in voices(made["own cohort only: warm"], "rankings_train")} == {"warm"}
    equal = list(read(made["all, at equal n: terse"], "rankings_train"))
    assert sum(len(row.judged) for row in equal) == 3 * 4
    assert set(made["conditioned"].config["conditioning"]["conditions"]) == set(COHORTS)
    assert made["all"].config["conditioning"]["mode"] == "none"
    assert made["all"].config["reward"]["score_validation"] is True


def test_the_matrix_is_shown_once_its_models_are_done(judged: Round, owner_client: Client) -> None:
    assert "the models are not trained" in owner_client.get(ADDRESS).content.decode()
    assert owner_client.post(ADDRESS, {"round": judged.number}).status_code == 302
    assert "0 of 5 reward models" in owner_client.get(ADDRESS).content.decode()
    for job in cohort_jobs(judged):
        pretend(job)
    page = owner_client.get(ADDRESS)
    assert page.status_code == 200
    assert "It can be claimed" in page.content.decode()
    found = owner_client.get(f"{ADDRESS[:-1]}.json").json()
    assert found["cohorts"] == ["terse", "warm"]
    shares = {model: [found["accuracy"][model][cohort]["value"] for cohort in COHORTS] for model in found["models"]}
    assert shares == {
        "all": [1, 0], "all, at equal n": [1, 0], "own cohort only": [1, 1], "conditioned": [0.875, 0.875],
        "conditioned, wrong name": [0.125, 0.125],
    }  # fmt: skip
    assert found["agreement"]["warm"]["value"] == 1
    assert found["differences"][0]["points"]["value"] == 0


def test_the_newest_round_with_a_matrix_is_shown_and_worked_out_once(
    judged: Round, owner_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    launch_cohort_models(judged)
    for job in cohort_jobs(judged):
        pretend(job)
    open_round(judged.project, base="base")
    read: list[str] = []
    reading = records.read_rows
    monkeypatch.setattr(records, "read_rows", lambda path, *of: read.append(str(path)) or reading(path, *of))
    page = owner_client.get(ADDRESS)
    assert page.context["round"] == judged
    assert len(read) == len(set(read)) == 6


def test_a_second_launch_waits_for_the_first(judged: Round, owner_client: Client) -> None:
    owner_client.post(ADDRESS, {"round": judged.number})
    answer = owner_client.post(ADDRESS, {"round": judged.number})
    assert answer.status_code == 409
    assert "of the matrix is queued" in answer.content.decode()
    assert cohort_jobs(judged).count() == 5


def test_a_small_cohort_is_told_how_many_more_would_do_and_nothing_is_trained(
    judged: Round, owner_client: Client
) -> None:
    gone = Labeler.objects.filter(pseudonym__in=people("warm", 3))
    Submission.objects.filter(assignment__labeler__in=gone).update(withdrawn_at=timezone.now())
    with pytest.raises(LaunchRefused, match="1 cohorts have what it takes"):
        launch_cohort_models(judged)
    page = owner_client.get(ADDRESS).content.decode()
    assert "Labelers who ranked: 3; 2 more would do." in page
    assert not Job.objects.filter(kind="reward").exists()


def test_so_few_in_a_cohort_of_background_answers_are_not_even_counted(judged: Round, owner_client: Client) -> None:
    Cohort.objects.filter(name="warm").update(rule={"age": ["18 to 24"]})
    gone = Labeler.objects.filter(pseudonym__in=people("warm", 3))
    Submission.objects.filter(assignment__labeler__in=gone).update(withdrawn_at=timezone.now())
    page = owner_client.get(ADDRESS).content.decode()
    assert "so few are neither counted nor learned from" in page
    assert "Labelers who ranked: 3" not in page


def test_of_a_cohort_by_a_rule_five_are_held_out_and_nobody_is_counted_exactly(
    judged: Round, owner_client: Client
) -> None:
    Cohort.objects.filter(name="warm").update(rule={"age": ["18 to 24"]})
    warm = next(group for group in groups_of(judged) if group.cohort.name == "warm")
    assert (warm.labelers, len(warm.held_out), warm.told) == (6, 5, (5, 5))
    assert owner_client.get(ADDRESS).content.decode().count("5 or more") == 2
    gone = Labeler.objects.filter(pseudonym__in=people("warm", 1))
    Submission.objects.filter(assignment__labeler__in=gone).update(withdrawn_at=timezone.now())
    warm = next(group for group in groups_of(judged) if group.cohort.name == "warm")
    (said,) = warm.wanting
    assert said.startswith("Fewer than 5 labelers who ranked held-out prompts")
    assert "4" not in said


def crossed(judged: Round) -> list[Cohort]:
    """Everybody is in a second cohort too, by another question."""
    since = timezone.now() - timedelta(days=9)
    made = [Cohort.objects.create(project=judged.project, name=name) for name in ("men", "women")]
    for number, one in enumerate(Labeler.objects.filter(project=judged.project, cohorts__isnull=False).order_by("pk")):
        CohortMember.objects.create(cohort=made[number % 2], labeler=one, since=since)
    return made


def test_cohorts_of_one_question_are_told_apart_although_everybody_is_in_one_of_another(
    judged: Round, owner_client: Client
) -> None:
    crossed(judged)
    assert [group.labelers for group in groups_of(judged)] == [0, 0, 0, 0]
    page = owner_client.get(ADDRESS).content.decode()
    assert "In two of these cohorts or more, and so counted in none: 12 who ranked." in page
    assert "Choose cohorts that share nobody" in page
    chosen = {"cohorts": [one.pk for one in Cohort.objects.filter(name__in=COHORTS)]}
    page = owner_client.get(ADDRESS, chosen).content.decode()
    assert "counted in none" not in page
    assert owner_client.get(f"{ADDRESS[:-1]}.json", chosen).json()["in_several"] == ""
    answer = owner_client.post(ADDRESS, {"round": judged.number, **chosen})
    assert answer.status_code == 302
    made = {job.asks["matrix"]["name"]: job for job in cohort_jobs(judged)}
    own, equal = (
        list(read(made[name], "rankings_train")) for name in ("own cohort only: warm", "all, at equal n: terse")
    )
    assert sum(len(row.judged) for row in own) == sum(len(row.judged) for row in equal) == 3 * 4
    assert {said.condition for row in read(made["conditioned"], "rankings_train") for said in row.judged} == set(
        COHORTS
    )
    for job in made.values():
        pretend(job)
    assert "It can be claimed" in owner_client.get(ADDRESS).content.decode()


def test_own_and_as_many_of_everybody_are_as_many_where_cohorts_overlap(judged: Round) -> None:
    """Two of the terse are warm as well: they are in neither, for the count and for the model alike."""
    warm = Cohort.objects.get(name="warm")
    for name in ("terse-0", "terse-1"):
        one = Labeler.objects.get(pseudonym=name)
        CohortMember.objects.create(cohort=warm, labeler=one, since=timezone.now() - timedelta(days=9))
    more = ranked_campaign(judged.project, [{f"terse-{n}": (1, 2) for n in range(6, 9)}] * 16, overlap=12)
    Prompt.objects.filter(tasks__in=more.tasks.order_by("position")[:12]).update(split="valid")
    terse = Cohort.objects.get(name="terse")
    for name in ("terse-6", "terse-7", "terse-8"):
        one = Labeler.objects.get(pseudonym=name)
        CohortMember.objects.create(cohort=terse, labeler=one, since=timezone.now() - timedelta(days=9))
    groups = {group.key: group for group in groups_of(judged)}
    assert (groups["terse"].labelers, groups["terse"].shared, groups["warm"].shared) == (7, 2, 2)
    made = {job.asks["matrix"]["name"]: job for job in launch_cohort_models(judged)}
    own = list(read(made["own cohort only: terse"], "rankings_train"))
    assert sum(len(row.judged) for row in own) == groups["terse"].train
    assert not {"terse-0", "terse-1"} & voices(made["own cohort only: terse"], "rankings_train")


def test_a_cohort_of_another_project_is_refused(judged: Round, owner_client: Client) -> None:
    for answer in (owner_client.get(ADDRESS, {"cohorts": "x"}), owner_client.post(ADDRESS, {"cohorts": "999999"})):
        assert answer.status_code == 400
        assert "is no cohort of this project" in answer.content.decode()
    assert not cohort_jobs(judged).exists()


def test_who_withdraws_is_in_no_figure_and_of_fewer_than_five_nothing_is_shown(
    judged: Round, owner_client: Client
) -> None:
    launch_cohort_models(judged)
    for job in cohort_jobs(judged):
        pretend(job)
    address = f"{ADDRESS[:-1]}.json"
    before = owner_client.get(address).json()["accuracy"]["all"]["warm"]["count"]
    held_out = next(group for group in groups_of(judged) if group.key == "warm").held_out
    learned_from = [one for one in Labeler.objects.filter(pseudonym__startswith="warm") if one.pk not in held_out]
    gone = CohortMember.objects.filter(labeler=learned_from[0])
    gone.delete()
    after = owner_client.get(address).json()
    assert after["accuracy"]["all"]["warm"]["count"] == before
    CohortMember.objects.filter(labeler=learned_from[1]).delete()
    found = owner_client.get(address).json()
    assert found["cohorts"] == []
    assert found["claim"].startswith("Fewer than 5 of those whom these models learned from")
    page = owner_client.get(ADDRESS).content.decode()
    assert "still in warm, and nothing is shown of so few" in page
    assert "Pairs in the right order" not in page


def test_a_held_out_ranking_that_was_withdrawn_is_in_no_figure(judged: Round, owner_client: Client) -> None:
    launch_cohort_models(judged)
    for job in cohort_jobs(judged):
        pretend(job)
    address = f"{ADDRESS[:-1]}.json"
    before = owner_client.get(address).json()["accuracy"]["all"]["warm"]["count"]
    one = next(group for group in groups_of(judged) if group.key == "warm").held_out[0]
    Submission.objects.filter(
        assignment__labeler=one, assignment__task__in=judged.project.prompts.filter(split="valid").values("tasks")[:2]
    ).update(withdrawn_at=timezone.now())
    assert owner_client.get(address).json()["accuracy"]["all"]["warm"]["count"] == before - 2


def test_what_the_models_wrote_may_be_gone(judged: Round, owner_client: Client) -> None:
    launch_cohort_models(judged)
    for job in cohort_jobs(judged):
        pretend(job)
    run_folder(job).output("validation_scores").unlink()
    assert "cannot be read any more" in owner_client.get(ADDRESS).content.decode()


def test_without_rounds_and_cohorts_the_page_says_what_it_takes(project: Project, owner_client: Client) -> None:
    assert "There is no round yet" in owner_client.get(ADDRESS).content.decode()
    assert owner_client.get(f"{ADDRESS}?round=7").status_code == 404


@pytest.fixture
def owner_client(owner: Any) -> Client:
    return signed_in(owner)
