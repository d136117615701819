"""Whom a round is trained for: everybody, one cohort alone, or several cohorts told apart."""

from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.utils import timezone

from labeling.models import Cohort, CohortMember, Labeler, Project, User
from tests.api.filled import api_of
from tests.conftest import signed_in
from tests.training.evaluated import checkpoint
from tests.training.making import base_model_folder, demonstrations, prompt, rankings, reload, writer
from training.audience import audience_in, audience_of
from training.errors import LaunchRefused, RoundRefused
from training.models import Job, Round, Stage
from training.next_round import next_round
from training.preflight import DATA_NEEDS, query_of
from training.rlhf.contract import records
from training.rlhf.contract.config import RunConfig
from training.rounds import launch, open_round, sections_of
from training.snapshot_rows import Counts, Query, rows_of
from training.snapshots import path_of
from training.views.launch_forms import checked_launch

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]

CPU = {"hardware": {"device": "cpu", "threads": 1}}


@pytest.fixture(autouse=True)
def base(own_folders: None) -> None:
    base_model_folder(settings.MODELS_DIR / "base")


def cohort(project: Project, name: str, *, people: int = 5, rule: dict[str, Any] | None = None) -> Cohort:
    made = Cohort.objects.create(project=project, name=name, rule=rule or {})
    for number in range(people):
        join(made, writer(project, f"{name} {number}"))
    return made


def join(made: Cohort, labeler: Labeler) -> None:
    CohortMember.objects.create(cohort=made, labeler=labeler, since=timezone.now() - timedelta(days=1))


def opened(project: Project, mode: str, *cohorts: Cohort, **more: Any) -> Round:
    asked = [str(one.pk) for one in cohorts]
    return open_round(project, base="base", audience=audience_in(project, mode, asked), **more)


def ranked_by(project: Project, made: Cohort, *, people: int) -> None:
    """Four training prompts, each ranked by so many, who are all in the cohort."""
    before = set(project.labelers.values_list("pk", flat=True))
    rankings(project, 4, overlap=people)
    for labeler in project.labelers.exclude(pk__in=before):
        join(made, labeler)


def query(round_: Round, kind: str, place: int = 0) -> Query:
    return query_of(round_, DATA_NEEDS[kind][place])


class TestOpening:
    def test_by_default_it_is_for_everybody(self, project: Project) -> None:
        plain = open_round(project, base="base")
        assert audience_of(plain).mode == "everybody"
        assert "audience" not in plain.recipe
        assert "conditioning" not in sections_of(plain, "sft")

    def test_told_apart_every_stage_from_sft_on_has_key_and_text_of_each_cohort(self, project: Project) -> None:
        round_ = opened(project, "told", cohort(project, "Warm ones"), cohort(project, "Terse"))
        texts = {
            "Terse": "Answer as the group “Terse” prefers.",
            "Warm-ones": "Answer as the group “Warm ones” prefers.",
        }
        for kind, dropout in (("sft", 0.5), ("reward", 0.2)):
            section = sections_of(round_, kind)["conditioning"]
            assert section == {"mode": "message", "conditions": texts, "dropout": dropout}
        assert sections_of(round_, "ppo")["conditioning"] == {"mode": "message", "conditions": texts}
        assert "conditioning" not in sections_of(round_, "sample")
        assert audience_of(round_).sentence == "Told apart: Terse and Warm ones."

    def test_two_names_that_would_be_one_key_get_two(self, project: Project) -> None:
        round_ = opened(project, "told", cohort(project, "a b"), second := cohort(project, "a-b"))
        assert audience_of(round_).keys == ("a-b", f"cohort-{second.pk}")

    @pytest.mark.parametrize(
        ("mode", "names", "sentence"),
        [
            ("nobody", [], 'cannot be trained for "nobody"; expected one of everybody, alone, told'),
            ("everybody", ["Terse"], "names no cohort"),
            ("alone", [], "names one cohort, and 0 are named"),
            ("alone", ["Terse", "Warm"], "names one cohort, and 2 are named"),
            ("told", ["Terse"], "told apart are 2 to 12, and 1 is named"),
            ("alone", ["Few"], "Fewer than 5 labelers have been in Few"),
            ("told", ["Terse", "Few"], "Fewer than 5 labelers have been in Few"),
        ],
    )
    def test_what_cannot_be_is_refused_in_a_sentence(
        self, project: Project, mode: str, names: list[str], sentence: str
    ) -> None:
        made = {name: cohort(project, name, people=4 if name == "Few" else 5) for name in ("Terse", "Warm", "Few")}
        with pytest.raises(RoundRefused, match=sentence):
            opened(project, mode, *(made[name] for name in names))
        assert not Round.objects.exists()

    def test_a_cohort_of_another_project_is_none_of_this(self, project: Project, stranger: User) -> None:
        theirs = cohort(Project.objects.get(slug="elsewhere"), "Theirs")
        with pytest.raises(RoundRefused, match="is no cohort of this project"):
            opened(project, "alone", theirs)

    def test_who_withdrew_is_counted_no_more(self, project: Project) -> None:
        young = cohort(project, "Young", rule={"age": ["young"]})
        CohortMember.objects.filter(cohort=young).first().delete()  # type: ignore[union-attr]
        with pytest.raises(RoundRefused, match="Fewer than 5 labelers have been in Young"):
            opened(project, "alone", young)

    def test_the_next_round_is_for_the_same(self, project: Project) -> None:
        round_ = opened(project, "told", cohort(project, "Terse"), cohort(project, "Warm"))
        assert audience_of(next_round(round_, with_policy=False)) == audience_of(round_)


class TestWhatIsRead:
    def test_alone_the_reward_model_reads_the_cohorts_rankings_and_sft_all_demonstrations(
        self, project: Project
    ) -> None:
        terse = cohort(project, "Terse", people=5)
        round_ = opened(project, "alone", terse)
        assert query(round_, "reward").cohort == terse.pk
        assert (query(round_, "sft").among, query(round_, "ppo").told) == ((), ())

    def test_told_apart_rows_carry_the_frozen_key_whatever_the_cohort_is_called_later(self, project: Project) -> None:
        terse, warm = cohort(project, "Terse", people=5), cohort(project, "Warm", people=5)
        round_ = opened(project, "told", terse, warm)
        ranked_by(project, terse, people=2)
        demonstrations(project, 1, by=writer(project, "Warm 0"))
        Cohort.objects.filter(pk=terse.pk).update(name="Brief")
        ranked = list(rows_of(project, query(round_, "reward"), Counts()))
        assert {said.condition for row in ranked for said in row.judged} == {"Terse"}  # type: ignore[union-attr]
        (written,) = rows_of(project, query(round_, "sft"), Counts())
        assert written.condition == "Warm"  # type: ignore[union-attr]

    def test_ppo_deals_each_prompt_a_condition_or_none_and_always_the_same(self, project: Project) -> None:
        round_ = opened(project, "told", cohort(project, "Terse"), cohort(project, "Warm"))
        for _ in range(40):
            prompt(project)

        def dealt() -> dict[str, str | None]:
            rows = rows_of(project, query(round_, "ppo"), Counts())
            return {row.id: row.condition for row in rows}  # type: ignore[union-attr]

        first = dealt()
        counts = [list(first.values()).count(key) for key in (None, "Terse", "Warm")]
        assert sum(counts) == 40
        assert min(counts) >= 5
        prompt(project)
        assert first.items() <= dealt().items()
        assert {row.condition for row in rows_of(project, query(round_, "sample"), Counts())} == {None}  # type: ignore[union-attr]


class TestTheLaunch:
    @pytest.fixture
    def warm(self, project: Project) -> Cohort:
        demonstrations(project, 20)
        return cohort(project, "Warm")

    def reward(self, round_: Round) -> Job:
        if not round_.stages.filter(job__isnull=False).exists():
            checkpoint(round_, settings, kind="sft", model="sft")
            Stage.objects.filter(round=round_, kind="sft").update(state="done")
            Stage.objects.filter(round=round_, kind="reward").update(state="ready")
        return launch(round_, "reward", overrides=CPU | {"reward": {"prompts_per_step": 2}})

    def test_a_cohort_that_has_hardly_ranked_is_refused_and_how_many_would_do_is_said(
        self, project: Project, warm: Cohort
    ) -> None:
        terse = cohort(project, "Terse")
        ranked_by(project, terse, people=5)
        ranked_by(project, warm, people=4)
        round_ = opened(project, "told", terse, warm)
        with pytest.raises(
            LaunchRefused, match=r"Fewer than 5 labelers of Warm have ranked training prompts .*\. 5 or more would do"
        ):
            self.reward(round_)
        assert not Job.objects.filter(kind="reward").exists()

    def test_with_enough_of_each_the_job_is_told_and_its_rows_are(self, project: Project, warm: Cohort) -> None:
        terse = cohort(project, "Terse")
        ranked_by(project, terse, people=5)
        ranked_by(project, warm, people=5)
        job = reload(self.reward(opened(project, "told", terse, warm)))
        config = RunConfig.from_json(job.config)
        assert config.condition_dropout == 0.2
        assert set(config.conditioning.conditions) == {"Terse", "Warm"}
        snapshot = job.inputs.get(role="rankings_train").snapshot
        assert snapshot is not None
        said = {one.condition for row in records.read_rows(path_of(snapshot), records.Ranking) for one in row.judged}
        assert said == {"Terse", "Warm"}

    def test_alone_only_the_cohorts_rankings_are_frozen(self, project: Project, warm: Cohort) -> None:
        ranked_by(project, cohort(project, "Terse"), people=5)
        ranked_by(project, warm, people=5)
        snapshot = self.reward(opened(project, "alone", warm)).inputs.get(role="rankings_train").snapshot
        assert snapshot is not None
        assert (snapshot.rows, snapshot.query["cohort"]) == (4, warm.pk)

    def test_checked_first_it_says_who_is_missing_and_counts_nobody_below_five(
        self, project: Project, warm: Cohort
    ) -> None:
        terse = cohort(project, "Terse")
        ranked_by(project, terse, people=5)
        round_ = opened(project, "told", terse, warm)
        with pytest.raises(LaunchRefused):
            self.reward(round_)
        report = checked_launch(round_.stages.get(kind="reward"), {"reward.prompts_per_step": "2"})
        items = {item.name: item for item in report}
        assert items["Rankings by Terse"].verdict == "good"
        assert (items["Rankings by Warm"].value, items["Rankings by Warm"].verdict) == ("too few", "bad")


class TestDoors:
    def test_the_form_opens_it_and_the_page_says_for_whom(self, project: Project, researcher: User) -> None:
        made = [cohort(project, name) for name in ("Terse", "Warm")]
        client = signed_in(researcher)
        page = client.get(f"/projects/{project.slug}/rounds/").content.decode()
        assert "Several cohorts, told apart" in page
        sent = {"recipe": "tiny", "base": "base", "audience": "told", "cohort": [one.pk for one in made]}
        answer = client.post(f"/projects/{project.slug}/rounds/", sent)
        assert answer.status_code == 302
        assert "Told apart: Terse and Warm." in client.get(answer["Location"]).content.decode()
        refused = client.post(f"/projects/{project.slug}/rounds/", sent | {"audience": "alone"})
        assert refused.status_code == 400
        assert "names one cohort, and 2 are named" in refused.content.decode()

    def test_the_api_opens_it(self, project: Project, researcher: User) -> None:
        made = [cohort(project, name) for name in ("Terse", "Warm")]
        api = api_of(researcher, project)
        status, said = api.post("rounds", {"base": "base", "audience": "told", "cohorts": [one.pk for one in made]})
        assert status == 201
        assert said["audience"]["mode"] == "told"
        assert [one["key"] for one in said["audience"]["conditions"]] == ["Terse", "Warm"]
        status, said = api.post("rounds", {"base": "base", "audience": "alone"})
        assert status == 422
        assert "names one cohort" in str(said)
