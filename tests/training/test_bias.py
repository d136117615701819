"""The bias report: what it says, what it says it cannot, and who may read it."""

from uuid import uuid4

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from labeling.backgrounds import answer, read_questions
from labeling.models import (
    Assignment,
    BackgroundForm,
    Campaign,
    Guideline,
    Labeler,
    Project,
    Prompt,
    Qualification,
    Submission,
    User,
)
from tests.conftest import signed_in
from tests.labeling.work import make_prompt
from tests.reports.judged import labelers_of, ranked_campaign, say
from training.bias import BiasReport
from training.models import Job, JobInput, Round, Stage
from training.rlhf.contract import records
from training.run_folders import run_folder
from training.snapshot_rows import Query, prompt_id
from training.snapshots import freeze, path_of

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]

PAGE = "/projects/helpdesk/bias/"
JSON = "/projects/helpdesk/bias.json"


def test_a_new_project_says_what_is_missing(project: Project, researcher: User) -> None:
    client = signed_in(researcher)
    html = client.get(PAGE).content.decode()
    assert "Nobody has labeled here yet." in html
    found = client.get(JSON).json()
    assert any("background" in one for one in found["missing"])
    assert any("No reward model" in one for one in found["missing"])
    assert found["effects"]["agreement"]["value"] is None


def test_reward_models_of_many_rounds_take_no_query_each(
    project: Project, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    """The newest finished one of each round, and none of a round that has none."""
    for number in range(1, 5):
        round_ = Round.objects.create(project=project, number=number)
        stage = Stage.objects.create(round=round_, kind="reward", place=0)
        for state in ("done", "done", "failed")[: 3 * (number != 2)]:
            Job.objects.create(project=project, stage=stage, kind="reward", state=state, config={"seed": number})
    newest = {job.stage.round.number: job.pk for job in Job.objects.filter(state="done").order_by("pk") if job.stage}
    with django_assert_num_queries(3):
        found = BiasReport(project, timezone.now()).models
    assert [(one.round, one.job) for one in found] == [(number, newest[number]) for number in (4, 3, 1)]
    assert found[0].choices == [("Seed", "4")]


def test_a_use_case_begins_its_line_with_a_capital(project: Project, researcher: User) -> None:
    Prompt.objects.filter(pk=make_prompt(project).pk).update(use_case="open_qa")
    html = signed_in(researcher).get(PAGE).content.decode()
    assert "Open QA" in html
    assert "open QA" not in html


def test_it_says_who_labeled_what_was_chosen_and_where_prompts_came_from(project: Project, researcher: User) -> None:
    BackgroundForm.objects.create(
        project=project, questions=read_questions("Age: young | old"), consent="Yes.",
        reference={"age": {"young": 0.25, "old": 0.75}}, reference_source="The census of 2021",
    )  # fmt: skip
    # Who answered and labeled nothing (11 more) is not among who labeled.
    for one in labelers_of(project, "a b c d e f g h i j k l m n o p q"):
        answer(one, {"age": "young"}, consents=True)
    campaign = ranked_campaign(
        project, [{"a": (1, 2), "b": (1, 2)}, {"a": (1, 2), "c": (2, 1)}, {"d": (1, 2)}, {"e": (1, 2)}, {"f": (1, 2)}]
    )
    Campaign.objects.filter(pk=campaign.pk).update(blind=True)
    Guideline.objects.filter(pk=campaign.guideline_id).update(changes="Ties are welcome now.")
    found = signed_in(researcher).get(JSON).json()
    shares = found["who"]["background"][0]["shares"]
    assert shares == [
        {"answer": "young", "count": 6, "share": 1.0, "population": 0.25},
        {"answer": "old", "count": 0, "share": 0.0, "population": 0.75},
    ]
    assert found["who"]["labelers"] == [{"name": "Imported", "number": 6, "share": 1.0}]
    assert found["chosen"]["guidelines"][0]["changes"] == "Ties are welcome now."
    assert found["chosen"]["kept_for_some"][0]["blind"] is True
    assert found["prompts"]["sources"] == 5
    assert found["effects"]["agreement"]["value"] == 0.5
    html = signed_in(researcher).get(PAGE).content.decode()
    for words in (
        "What was said here was said by 6 labelers of 5 prompts",
        "The census of 2021",
        "Ties are welcome",
    ):
        assert words in html


def test_only_what_counts_is_said_and_by_people(project: Project, researcher: User) -> None:
    """Prompts nobody judged, a screening, a withdrawn submission, one that does not count, a repeat, a correction and a
    simulated labeler: neither in the headline, nor among who labeled, nor under the guideline."""
    campaign = ranked_campaign(project, [{"a": (1, 2), "b": (1, 2)}, {"a": (1, 2)}])
    first, second = campaign.tasks.order_by("position")
    gone, late, program = labelers_of(project, "w l x")
    Labeler.objects.filter(pk=program.pk).update(source="simulated")
    screening = ranked_campaign(project, [{"s": (1, 2)}])
    Qualification.objects.create(project=project, name="Desk").screenings.create(campaign=screening)
    withdrawn = say(second, gone, (1, 2))
    Submission.objects.filter(pk=withdrawn.pk).update(withdrawn_at=timezone.now())
    say(second, late, (1, 2), counted=False)
    say(second, program, (1, 2))
    ada = labelers_of(project, "a")[0]
    say(first, ada, (2, 1), occurrence=1)
    old = Submission.objects.get(assignment__labeler=ada, assignment__task=second)
    Submission.objects.filter(pk=old.pk).update(counted=False)
    newer = Submission.objects.create(
        assignment=old.assignment, number=2, key=uuid4(), guideline=old.guideline, counted=True,
        submitted_at=timezone.now(),
    )  # fmt: skip
    Assignment.objects.filter(pk=old.assignment_id).update(current_submission=newer)
    make_prompt(project)
    found = signed_in(researcher).get(JSON).json()
    assert found["claim"].startswith("What was said here was said by 2 labelers of 2 prompts")
    assert found["who"]["labelers"] == [{"name": "Imported", "number": 2, "share": 1.0}]
    assert [one["submissions"] for one in found["chosen"]["guidelines"]] == [3]
    assert found["who"]["busiest_tenth"] == pytest.approx(2 / 3)


def test_a_labeler_is_refused_and_a_stranger_finds_nothing(project: Project, labeler: User, stranger: User) -> None:
    for user, status in ((labeler, 403), (stranger, 404)):
        assert [signed_in(user).get(one).status_code for one in (PAGE, JSON)] == [status, status]


def test_agreement_is_told_by_origin_language_and_source_and_sources_are_not_named(
    project: Project, researcher: User
) -> None:
    campaign = ranked_campaign(
        project, [{"a": (1, 2), "b": (1, 2)}, {"a": (1, 2), "c": (2, 1)}, {"a": (1, 2), "b": (1, 2)}]
    )
    first, second, third = (task.prompt_id for task in campaign.tasks.order_by("position"))
    Prompt.objects.filter(pk__in=(first, third)).update(language="de", origin="customer", group_key="ann@example.com")
    Prompt.objects.filter(pk=second).update(group_key="zed@example.com")
    found = signed_in(researcher).get(JSON).json()
    by = found["effects"]["agreement_by"]
    assert {name: by["language"][name]["value"] for name in by["language"]} == {"de": 1.0, "en": 0.0}
    assert {name: by["origin"][name]["value"] for name in by["origin"]} == {"Customer": 1.0, "Import": 0.0}
    assert {name: by["source"][name]["value"] for name in by["source"]} == {"source 1": 1.0, "source 2": 0.0}
    html = signed_in(researcher).get(PAGE).content.decode()
    assert "Agreement by source" in html
    assert "example.com" not in html


def test_where_one_reward_model_is_right_is_read_from_what_it_wrote(round_with_base: Round, researcher: User) -> None:
    """Two prompts, two labelers each, both of one mind; the model is right on the German one and wrong on the other."""
    project = round_with_base.project
    campaign = ranked_campaign(project, [{"a": (1, 2), "b": (1, 2)}] * 2)
    german, english = (task.prompt_id for task in campaign.tasks.order_by("position"))
    Prompt.objects.filter(tasks__campaign=campaign).update(split="valid")
    Prompt.objects.filter(pk=german).update(language="de", use_case="chat")
    snapshot = freeze(project, Query(kind="rankings", split="valid"))
    job = Job.objects.create(
        project=project, stage=round_with_base.stages.get(kind="reward"), kind="reward", state="done",
        config={"reward": {"score_validation": True}},
    )  # fmt: skip
    JobInput.objects.create(job=job, role="rankings_valid", snapshot=snapshot)
    rows = []
    for row in records.read_rows(path_of(snapshot), records.Ranking):
        scores = (2.0, 1.0) if row.id == prompt_id(german) else (1.0, 2.0)
        rows += [
            records.Response(
                id=f"{row.id}/{answer.id}/", prompt=row.id, text="", token_ids=(), finish="stop", generator="ranked",
                scores={"reward": score},
            )
            for answer, score in zip(row.responses, scores, strict=True)
        ]  # fmt: skip
    run_folder(job).output("validation_scores").parent.mkdir(parents=True)
    records.write_rows(run_folder(job).output("validation_scores"), rows)
    found = signed_in(researcher).get(JSON).json()["effects"]["reward_model_apart"]
    assert found["of"] == f"round {round_with_base.number}"
    by = found["accuracy_by"]
    assert {name: figure["value"] for name, figure in by["language"].items()} == {"de": 1.0, "en": 0.0}
    assert {name: figure["value"] for name, figure in by["use_case"].items()} == {"Chat": 1.0, "Other": 0.0}
    assert by["guideline"]["ranking 1"] == by["origin"]["Import"]
    assert (by["origin"]["Import"]["value"], by["origin"]["Import"]["count"]) == (0.5, 4)
    assert "Where the reward model is right" in signed_in(researcher).get(PAGE).content.decode()
    Job.objects.filter(pk=job.pk).update(config={})
    why = "It is not known where it is right: it kept no scores"
    found = signed_in(researcher).get(JSON).json()
    assert found["effects"]["reward_model_apart"]["why"].startswith(why)
    assert why in signed_in(researcher).get(PAGE).content.decode()
    assert any(why in one for one in found["missing"])


def test_what_models_read_is_told_with_what_was_left_out_and_why(round_with_base: Round, researcher: User) -> None:
    project = round_with_base.project
    made = [make_prompt(project) for _ in range(202)]
    Prompt.objects.filter(pk__in=[one.pk for one in made]).update(group_key="one", origin="customer")
    Prompt.objects.filter(pk=made[-1].pk).update(messages=made[0].messages)
    snapshot = freeze(project, Query(kind="prompts", split="train", origins=("customer",)))
    job = Job.objects.create(
        project=project, stage=round_with_base.stages.get(kind="ppo"), kind="ppo", config={}, state="done"
    )
    JobInput.objects.create(job=job, role="prompts_train", snapshot=snapshot)
    (read,) = signed_in(researcher).get(JSON).json()["effects"]["models_read"]
    assert (read["model"], read["records"], read["rows"]) == ("PPO", "prompts train", 200)
    assert read["left_out"] == {"near-duplicate": 1, "over 200 of one group": 1}
    assert read["asked"] == "origin customer only; nothing simulated; split train"
    html = signed_in(researcher).get(PAGE).content.decode()
    assert "near-duplicate: 1; over 200 of one group: 1" in html
