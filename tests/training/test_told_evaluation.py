"""An evaluation of a model that is told for whom it writes, and of external models whose responses were imported."""

import json
import random
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from labeling.checking import Said, Work
from labeling.models import Campaign, Cohort, CohortMember, Generator, Project, Response, TaskResponse, User
from tests.api.filled import api_of
from tests.conftest import signed_in
from tests.labeling.work import make_labeler, must_claim, submit_now
from tests.training.evaluated import SCALES, answered, asked, held_out, rating_guideline, row, trained
from tests.training.making import base_model_folder, demonstrations, generator, reload
from training.audience import audience_in, known_to
from training.authors import authors_of
from training.base_models import base_model
from training.contenders import EvaluationChoices, usual_choices
from training.errors import LaunchRefused
from training.evaluation import evaluation_of
from training.models import Checkpoint, Job, Round, Stage
from training.rounds import launch, open_round
from training.two_by_two import squares
from training.views.evaluation_forms import choices_of, evaluation_form
from training.views.launch_forms import launch_form
from training.views.samples import reading_of

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]

TOLD = (("policy", "Terse"), ("policy", "Warm"))
RATERS = 5


def in_two_cohorts(project: Project) -> None:
    """Five labelers each."""
    for name in ("Terse", "Warm"):
        cohort = Cohort.objects.create(project=project, name=name)
        CohortMember.objects.bulk_create(
            CohortMember(
                cohort=cohort, labeler=make_labeler(project, f"{name.lower()}{number}"),
                since=timezone.now() - timedelta(days=1),
            )
            for number in range(RATERS)
        )  # fmt: skip


@pytest.fixture
def ready(project: Any, settings: Any) -> Round:
    """A round that tells two cohorts apart, trained, with twelve held-out prompts and a guideline to rate by."""
    base_model_folder(settings.MODELS_DIR / "base")
    demonstrations(project, 20)
    in_two_cohorts(project)
    cohorts = [str(one.pk) for one in Cohort.objects.order_by("name")]
    round_ = trained(open_round(project, base="base", audience=audience_in(project, "told", cohorts)), settings)
    know(round_, "ppo")
    rating_guideline(project)
    held_out(project, 12)
    return round_


def know(round_: Round, kind: str, text: str = "Answer as the group “{}” prefers.") -> None:
    """The newest checkpoint of a stage was trained told both cohorts."""
    conditions = {name: text.format(name) for name in ("Terse", "Warm")}
    job = Job.objects.filter(stage__round=round_, kind=kind).latest("pk")
    Job.objects.filter(pk=job.pk).update(config={"conditioning": {"mode": "message", "conditions": conditions}})


def evaluate(round_: Round, **choices: Any) -> Job:
    return launch(round_, "evaluate", choices=EvaluationChoices(**({"told": TOLD, "without": ("base",)} | choices)))


def answered_as_told(job: Job) -> Job:
    """As the sample stage does it: each row carries the key by which the config knows what its model was told."""
    told = job.config["sample"]["told"]
    rows = [
        row(pk, name, f"{told.get(name, '')} {pk}", condition=told.get(name))
        for pk in asked(job)
        for name in job.config["models"]["generators"]
    ]
    return answered(job, rows)


def campaign_of(round_: Round) -> Campaign:
    campaign = round_.stages.get(kind="evaluate").campaign
    assert campaign is not None
    return campaign


def rate_all(round_: Round, *, people: int = RATERS) -> Campaign:
    """Everybody rates 6 what was written for their cohort, 3 what was written for the other, 5 what was for all."""
    campaign = campaign_of(round_)
    chance = random.Random(1)
    for cohort in ("Terse", "Warm"):
        for number in range(people):
            labeler = round_.project.labelers.get(user__username=f"{cohort.lower()}{number}")
            for _ in range(campaign.tasks.count()):
                assignment = must_claim(campaign, labeler)
                response = Response.objects.get(pk=assignment.order[0])
                told = response.sampling.get("condition")
                overall = 5 if told is None else 6 if told == cohort else 3
                # Nobody rates all alike.
                overall += chance.choice((0, 0, 1))
                ratings = {scale["name"]: overall for scale in SCALES}
                submit_now(assignment, Work(responses={"A": Said(ratings=ratings)}))
    return campaign


class TestTheLaunch:
    def test_a_checkpoint_answers_once_for_all_and_once_for_each_condition(self, ready: Round) -> None:
        job = evaluate(ready)
        assert job.config["models"]["generators"] == {
            name: f"models/generators.{name}" for name in ("sft", "policy", "policy-told-1", "policy-told-2")
        }
        assert job.config["sample"]["told"] == {"policy-told-1": "Terse", "policy-told-2": "Warm"}
        assert job.config["conditioning"]["conditions"]["Warm"] == "Answer as the group “Warm” prefers."
        assert job.config["sample"]["condition"] is None
        read = {one.role: one.checkpoint.name for one in job.inputs.filter(checkpoint__isnull=False)}  # type: ignore[union-attr]
        assert read["generators.policy-told-1"] == read["generators.policy"] == "r1-ppo"
        assert job.inputs.filter(snapshot__isnull=False).count() == 1

    def test_one_key_with_two_texts_is_written_with_a_number_and_known_by_its_own(
        self, ready: Round, settings: Any
    ) -> None:
        other = trained(open_round(ready.project, base="base"), settings)
        know(other, "ppo", "Write for {}.")
        policy = Checkpoint.objects.get(name="r2-ppo")
        job = evaluate(ready, told=(("policy", "Terse"), (str(policy.pk), "Terse")))
        assert job.config["conditioning"]["conditions"] == {
            "Terse": "Answer as the group “Terse” prefers.", "Terse-2": "Write for Terse."
        }  # fmt: skip
        answered_as_told(job)
        told = Response.objects.filter(generator=policy.generator, sampling__job=job.pk)
        assert {one.sampling["condition"] for one in told} == {"Terse"}

    @pytest.mark.parametrize(
        ("told", "sentence"),
        [
            (("policy", "Loud"), 'r1-ppo knows no condition "Loud"; it was trained with: Terse, Warm'),
            (("sft", "Terse"), 'r1-sft knows no condition "Terse"; it was trained with: none'),
            (("999999", "Terse"), "There is no checkpoint .999999. in this project"),
            (("gpt", "Terse"), "There is no checkpoint .gpt. in this project"),
        ],
    )
    def test_what_a_model_never_learned_it_is_not_told(
        self, ready: Round, told: tuple[str, str], sentence: str
    ) -> None:
        with pytest.raises(LaunchRefused, match=sentence):
            evaluate(ready, told=(told,))
        assert ready.stages.get(kind="evaluate").state == "ready"

    def test_the_form_offers_it_and_a_round_that_runs_itself_asks_it(self, ready: Round) -> None:
        stage = Stage.objects.select_related("round__project").get(round=ready, kind="evaluate")
        offered = {one.name: (one.label, one.checked) for one in evaluation_form(stage, None).own}
        assert offered["with-policy:Terse"] == ("Policy, told Terse", True)
        assert "with-sft:Terse" not in offered
        assert usual_choices(stage).told == TOLD
        typed = dict.fromkeys(("with-policy", "with-policy:Terse", "with-policy:Warm"), "on")
        assert choices_of(typed).told == TOLD
        assert choices_of(typed).without == ("base", "sft")
        form = launch_form(stage)
        assert form is not None
        assert '"told"' in form.whole


class TestWhatIsKept:
    def test_what_was_told_is_kept_with_each_response_and_makes_another_author(self, ready: Round) -> None:
        job = answered_as_told(evaluate(ready))
        assert (job.state, job.report["rating"]["responses"]) == ("done", 48)  # type: ignore[index]
        kept = Counter(one.sampling.get("condition") for one in Response.objects.filter(sampling__job=job.pk))
        assert kept == {None: 24, "Terse": 12, "Warm": 12}
        labels = [one.label for one in authors_of(ready, campaign_of(ready))]
        assert labels == ["PPO, round 1", "PPO, round 1, told Terse", "PPO, round 1, told Warm", "SFT, round 1"]

    def test_the_same_text_told_two_things_is_rated_once_for_each(self, ready: Round) -> None:
        job = evaluate(ready)
        told = job.config["sample"]["told"]
        rows = [row(pk, name, "Same.", condition=told.get(name)) for pk in asked(job) for name in
                job.config["models"]["generators"]]  # fmt: skip
        assert answered(job, rows).report["rating"]["responses"] == 48  # type: ignore[index]

    def test_labelers_find_nothing_of_it(self, ready: Round) -> None:
        answered_as_told(evaluate(ready))
        Response.objects.update(text="A text.")
        user = User.objects.get(username="terse0")
        client: Client = signed_in(user)
        answer = client.post(f"/projects/{ready.project.slug}/campaigns/{campaign_of(ready).pk}/next/", follow=True)
        body = answer.content.decode()
        assert "A text." in body
        for word in ("Terse", "Warm", "told", "condition", "r1-ppo", "prefers"):
            assert word not in body.replace("terse0", ""), word

    def test_what_an_import_calls_a_condition_makes_no_other_author(self, ready: Round) -> None:
        answered_as_told(evaluate(ready, external=(external(ready, 12).pk,)))
        Response.objects.filter(generator__kind="external").update(sampling={"condition": "Terse"})
        assert "gpt" in [one.label for one in authors_of(ready, campaign_of(ready))]

    def test_the_samples_of_the_job_are_read_by_what_was_told(self, ready: Round) -> None:
        job = answered_as_told(evaluate(ready))
        reading = reading_of(job, {"told": "Warm"})
        assert (reading.conditions, reading.told, reading.many) == (["Terse", "Warm"], "Warm", 12)
        assert {one.told for one in reading.samples} == {"Warm"}
        assert reading_of(job, {"told": "x"}).many == 48


class TestThePage:
    @pytest.fixture
    def rated(self, ready: Round) -> Round:
        answered_as_told(evaluate(ready, without=("base", "sft"), overlap=2 * RATERS))
        rate_all(ready)
        return ready

    def test_it_shows_the_table_two_by_two_with_its_claim(self, rated: Round, researcher: User) -> None:
        found = evaluation_of(rated, campaign_of(rated))
        assert found is not None
        assert (found.subject.label, found.baseline.label) == ("PPO, round 1, told Terse", "PPO, round 1")
        (square,) = squares(found)
        assert square.figure.known() == pytest.approx(6.0, abs=0.5)
        Stage.objects.filter(round=rated, kind="evaluate").update(state="done")
        Cohort.objects.filter(name="Terse").update(name="Brief")
        page = signed_in(researcher).get(f"/projects/{rated.project.slug}/rounds/1/evaluation/").content.decode()
        assert "Told for whom to write" in page
        assert "It can be claimed that Brief and Warm, in the mean of the two, prefer what PPO, round 1" in page
        assert "rated by Brief" in page
        assert "told Brief" in page

    def test_its_json_and_the_api_have_it_too(self, rated: Round, researcher: User) -> None:
        address = f"/projects/{rated.project.slug}/rounds/1/evaluation/?as=json"
        said = json.loads(signed_in(researcher).get(address).content)
        (square,) = said["two_by_two"]
        assert square["raters"] == ["Terse", "Warm"]
        assert square["claim"].startswith("Nothing is claimed while ratings still come in")
        assert [one["told"] for one in said["generators"]] == [None, "Terse", "Warm"]
        status, listed = api_of(researcher, rated.project).get("rounds/1/evaluations")
        assert status == 200
        (one,) = listed["items"][0]["two_by_two"]
        assert [line["told"] for line in one["rows"]] == [None, "Terse", "Warm"]
        assert one["interaction"]["value"] == square["interaction"]["value"]

    def test_of_few_raters_nothing_is_told(self, ready: Round, researcher: User) -> None:
        answered_as_told(evaluate(ready, without=("base", "sft"), overlap=2 * RATERS))
        rate_all(ready, people=4)
        page = signed_in(researcher).get(f"/projects/{ready.project.slug}/rounds/1/evaluation/").content.decode()
        assert "fewer than 5 raters of Terse who are not in Warm rated each" in page
        assert "rated by Terse" not in page

    def test_how_many_more_ratings_settle_a_difference_that_matters(self, rated: Round, researcher: User) -> None:
        address, client = f"/projects/{rated.project.slug}/rounds/1/evaluation/", signed_in(researcher)
        page = client.get(f"{address}?difference=0.1").content.decode()
        assert "settle a difference of 0.10" in page or "A difference of 0.1 would take more" in page
        assert 'value="0.1"' in page
        for typed in ("0", "-1", "7", "much", "nan", "1e999"):
            refused = client.get(address, {"difference": typed})
            assert refused.status_code == 400, typed
            assert "expected a number above 0 and at most 6" in refused.content.decode()


class TestABroughtInFolder:
    """Weights of another installation: accord.json beside them says what they can be told."""

    def brought(self, round_: Round, settings: Any, said: Any, name: str = "theirs") -> Checkpoint:
        folder = base_model_folder(settings.MODELS_DIR / name)
        (folder / "accord.json").write_text(said if isinstance(said, str) else json.dumps(said))
        return base_model(round_.project, name)

    def test_it_is_told_what_it_knows_and_asked_as_a_chat(self, ready: Round, settings: Any) -> None:
        theirs = self.brought(ready, settings, {"conditioning": {"conditions": {"loud": "Write loudly."}}})
        stage = Stage.objects.select_related("round__project").get(round=ready, kind="evaluate")
        offered = [option.name for option in evaluation_form(stage, None).others]
        assert f"with-{theirs.pk}:loud" in offered
        job = evaluate(ready, others=(theirs.pk,), told=((str(theirs.pk), "loud"),), without=())
        name = f"other-{theirs.pk}"
        assert job.config["sample"]["told"] == {f"{name}-told-1": "loud"}
        assert job.config["conditioning"]["conditions"] == {"loud": "Write loudly."}
        assert job.config["sample"]["formats"] == {"base": "plain"}
        answered_as_told(job)
        labels = [one.label for one in authors_of(ready, campaign_of(ready))]
        assert "theirs" in " ".join(labels)
        assert [one for one in labels if one.endswith("told loud")]

    @pytest.mark.parametrize(
        "said",
        [
            "", "[]", "no JSON", {"conditioning": []}, {"conditioning": {"conditions": {}}},
            {"conditioning": {"conditions": {"loud": 7}}}, {"conditioning": {"conditions": {"../x": "Write."}}},
            {"conditioning": {"conditions": ["loud"]}},
        ],
    )  # fmt: skip
    def test_of_one_that_says_nothing_usable_nothing_is_known(self, ready: Round, settings: Any, said: Any) -> None:
        assert known_to(self.brought(ready, settings, said)) == ()
        assert known_to(Checkpoint(uri="hub:owner/name")) == ()


def external(round_: Round, number: int, name: str = "gpt") -> Generator:
    """An external model that answered so many of the held-out prompts."""
    made = generator(round_.project, name)
    for about in round_.project.prompts.filter(split="test").order_by("pk")[:number]:
        Response.objects.create(prompt=about, generator=made, text=f"{name} on {about.pk}", token_count=9)
    return made


class TestExternalModels:
    def test_its_responses_are_rated_among_the_others_on_prompts_in_common(self, ready: Round) -> None:
        gpt = external(ready, 11)
        Response.objects.create(prompt=gpt.responses.earliest("pk").prompt, generator=gpt, text="again")
        job = evaluate(ready, told=(), external=(gpt.pk,))
        assert set(asked(job)) == set(gpt.responses.values_list("prompt", flat=True))
        job = answered(job, [row(pk, name) for pk in asked(job) for name in ("sft", "policy")])
        assert job.report["rating"] == {  # type: ignore[index]
            "campaign": campaign_of(ready).pk, "prompts": 11, "responses": 33, "human": 0, "external": 11,
            "prompts_left_out": 0,
        }  # fmt: skip
        shown = TaskResponse.objects.filter(task__campaign=campaign_of(ready), response__generator=gpt)
        assert shown.count() == 11
        assert not shown.filter(response__text="again").exists()
        assert ("gpt", "external") in [(one.label, one.kind) for one in authors_of(ready, campaign_of(ready))]

    def test_too_few_answers_are_refused_in_a_sentence(self, ready: Round) -> None:
        few, more = external(ready, 9), external(ready, 12, "claude")
        with pytest.raises(LaunchRefused, match="gpt answers 9 of the held-out prompts .* at least 10 are needed"):
            evaluate(ready, external=(few.pk,))
        with pytest.raises(LaunchRefused, match="claude and gpt|gpt and claude all answer 9"):
            evaluate(ready, external=(few.pk, more.pk))
        with pytest.raises(LaunchRefused, match="There is no external model 999999"):
            evaluate(ready, external=(999_999,))
        ours = Generator.objects.get(name="r1-sft")
        with pytest.raises(LaunchRefused, match=f"There is no external model {ours.pk}"):
            evaluate(ready, external=(ours.pk,))

    def test_the_form_offers_those_that_answer_held_out_prompts_with_how_many(
        self, ready: Round, researcher: User
    ) -> None:
        gpt = external(ready, 11)
        generator(ready.project, "silent")
        client = signed_in(researcher)
        address = f"/projects/{ready.project.slug}/rounds/1/"
        page = client.get(f"{address}?stage=evaluate").content.decode()
        assert "External models" in page
        assert "answers 11 held-out prompts" in page
        assert "silent" not in page
        sent = {"with-policy": "on", f"with-external-{gpt.pk}": "on", "overlap": "2"}
        assert client.post(f"{address}stages/evaluate/launch", sent).status_code == 302
        assert reload(Job.objects.latest("pk")).asks["external"] == [gpt.pk]

    def test_the_api_launches_with_what_is_told_and_who_is_external(self, ready: Round, researcher: User) -> None:
        gpt = external(ready, 12)
        body = {"told": ["policy:Terse"], "external": [gpt.pk], "without": ["base"]}
        status, said = api_of(researcher, ready.project).post("rounds/1/stages/evaluate/launch", body)
        assert status == 200, said
        job = Job.objects.latest("pk")
        assert (job.asks["told"], job.asks["external"]) == ({"policy-told-1": "Terse"}, [gpt.pk])


class TestSampling:
    @pytest.fixture
    def again(self, ready: Round, settings: Any) -> Round:
        """A round that samples from the policy, which knows two conditions."""
        policy = Checkpoint.objects.get(name="r1-ppo")
        return open_round(ready.project, base="base", policy=policy)

    def test_what_is_ranked_can_be_sampled_told(self, again: Round, researcher: User) -> None:
        client, address = signed_in(researcher), f"/projects/{again.project.slug}/rounds/2/"
        page = client.get(f"{address}?stage=sample").content.decode()
        assert "Told for whom to write" in page
        assert client.post(f"{address}stages/sample/launch", {"told": "Warm"}).status_code == 302
        job = Job.objects.latest("pk")
        assert job.config["sample"]["condition"] == "Warm"
        name = next(iter(job.config["models"]["generators"]))
        job = answered(job, [row(pk, name, condition="Warm") for pk in asked_to_rank(job)])
        assert {one.sampling["condition"] for one in Response.objects.filter(sampling__job=job.pk)} == {"Warm"}

    def test_untold_it_is_told_nothing_and_unknown_is_refused(self, again: Round, researcher: User) -> None:
        api = api_of(researcher, again.project)
        status, said = api.post("rounds/2/stages/sample/launch", {"condition": "Loud"})
        assert status == 422
        assert "knows no condition" in str(said)
        assert api.post("rounds/2/stages/sample/launch", {})[0] == 200
        assert Job.objects.latest("pk").config["conditioning"]["mode"] == "none"


def asked_to_rank(job: Job) -> list[int]:
    return list(job.project.prompts.filter(split="train").order_by("pk").values_list("pk", flat=True)[:3])
