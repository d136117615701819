"""What is done to a round from its page: the next one, by itself or by hand, waits, alarms, a check before a launch."""

import json
import struct
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from labeling.models import Project, User
from tests.conftest import signed_in
from tests.training.making import TINY_SFT, demonstrations, prompt, writer
from tests.training.test_settle import sft_is_done
from training import workers
from training.comparing import compare
from training.errors import RoundRefused
from training.models import Alarm, Checkpoint, Job, Round, Stage
from training.next_round import next_round
from training.recipes import merged
from training.rounds import launch, open_round
from training.snapshots import path_of

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]


@pytest.fixture
def ines(researcher: User) -> Client:
    return signed_in(researcher)


def url(name: str, *arguments: Any) -> str:
    return reverse(name, args=["helpdesk", *arguments])


def text_of(answer: Any) -> str:
    return unescape(answer.content.decode())


def policy_of(round_: Round) -> Checkpoint:
    """As if the round's SFT and PPO had been run."""
    sft = sft_is_done(round_)
    job = Job.objects.create(
        project=round_.project, stage=round_.stages.get(kind="ppo"), kind="ppo", config={"stage": "ppo"}, state="done"
    )
    Stage.objects.filter(round=round_, kind="ppo").update(job=job, state="done")
    made = Checkpoint.objects.create(
        project=round_.project, kind="policy", name=f"r{round_.number}-ppo", uri="x", job=job
    )
    made.parents.add(sft.checkpoint)
    return made


class TestTheNextRound:
    def test_it_has_the_recipe_and_samples_from_the_policy(self, round_with_base: Round, ines: Client) -> None:
        stages = merged(round_with_base.recipe["stages"], {"sft": {"sft": {"epochs": 7}}})
        recipe = round_with_base.recipe | {"stages": stages, "overlap": 3}
        Round.objects.filter(pk=round_with_base.pk).update(recipe=recipe)
        round_with_base.refresh_from_db()
        policy = policy_of(round_with_base)
        answer = ines.post(url("next_round", 1), {"from": "policy"})
        assert answer.url == url("round", 2)
        made = Round.objects.get(number=2)
        assert made.recipe["policy"] == policy.pk
        assert made.recipe["stages"] == round_with_base.recipe["stages"]
        assert (made.recipe["overlap"], made.recipe["copied_from"]) == (3, 1)
        assert made.recipe["evaluation"]["others"] == [policy.pk]
        assert not made.stages.filter(kind__in=["pretrain", "sft"]).exists()
        assert made.stages.get(kind="sample").state == "ready"

    def test_it_may_begin_where_the_first_one_did(self, round_with_base: Round) -> None:
        made = next_round(round_with_base, with_policy=False)
        assert made.recipe["base"] == round_with_base.recipe["base"]
        assert made.stages.get(kind="sft").state == "ready"

    def test_without_a_policy_it_is_refused_in_a_sentence(self, round_with_base: Round, ines: Client) -> None:
        with pytest.raises(RoundRefused, match="Round 1 has no policy yet"):
            next_round(round_with_base)
        answer = ines.post(url("next_round", 1), {"from": "policy"}, follow=True)
        assert "Run PPO first" in text_of(answer)
        assert Round.objects.count() == 1


class TestARecipe:
    def test_an_unknown_key_is_refused_when_the_round_is_opened(self, project: Project, ines: Client) -> None:
        answer = ines.post(url("rounds"), {"recipe": "tiny", "changes": '{"sft": {"sft": {"epoch": 3}}}'})
        assert answer.status_code == 400
        assert "The recipe cannot be used for SFT. The config cannot be used: sft.epoch is not a known key" in text_of(
            answer
        )
        assert not Round.objects.exists()

    @pytest.mark.parametrize(
        ("changes", "said"),
        [
            ('{"stf": {}}', "The recipe has no stage"),
            ('{"sft": 3}', "expected sections by stage"),
            ("{", "cannot be read"),
            ('{"ppo": {"ppo": {"episodes": -1}}}', "ppo.episodes is -1"),
            ('{"reward": {"models": {}}}', "models is decided by the round"),
        ],
    )
    def test_what_is_none_is_refused_with_the_reason(
        self, project: Project, ines: Client, changes: str, said: str
    ) -> None:
        answer = ines.post(url("rounds"), {"recipe": "tiny", "changes": changes})
        assert answer.status_code == 400
        assert said in text_of(answer)

    def test_what_was_typed_is_kept_with_the_round(self, project: Project, ines: Client) -> None:
        form = {
            "recipe": "tiny", "changes": '{"sft": {"sft": {"epochs": 3}}}', "runs_itself": "yes", "enough-sft": "300",
            "enough-rank": "", "overlap": "3", "raters": "4", "adjudicated": "instead", "weigh": "by ability",
        }  # fmt: skip
        assert ines.post(url("rounds"), form).status_code == 302
        made = Round.objects.get()
        assert made.runs_itself
        assert made.recipe["stages"]["sft"]["sft"]["epochs"] == 3
        assert (made.recipe["adjudicated"], made.recipe["weigh"]) == ("instead", "by ability")
        assert (made.recipe["overlap"], made.recipe["evaluation"]) == (3, {"overlap": 4})
        assert made.stages.get(kind="sft").enough == {"demonstrations": 300}


class TestByItself:
    def test_it_is_switched_on_and_starts_what_is_ready(self, round_with_base: Round, ines: Client) -> None:
        recipe = round_with_base.recipe | {"stages": {"sft": TINY_SFT}}
        Round.objects.filter(pk=round_with_base.pk).update(recipe=recipe)
        ines.post(url("round_running", 1), {"by_itself": "yes"})
        assert Job.objects.get().state == "queued"
        assert round_with_base.stages.get(kind="reward").waits_for == ["sft", "rank"]
        ines.post(url("round_running", 1), {"by_itself": "no"})
        assert not Round.objects.get().runs_itself
        assert round_with_base.stages.get(kind="reward").waits_for == ["sft"]

    def test_a_wait_is_set_from_the_page_and_shown(self, round_with_base: Round, ines: Client) -> None:
        ines.post(url("stage_wait", 1, "sft"), {"enough": "1,000"})
        words = text_of(ines.get(url("round", 1)))
        assert "20 of 1,000 demonstrations to train on" in words
        assert "Waiting for people" in words
        answer = ines.post(url("stage_wait", 1, "sft"), {"enough": "some"}, follow=True)
        assert "The number to wait for is" in text_of(answer)


def test_alarms_stand_on_the_page_until_somebody_has_seen_them(round_with_base: Round, ines: Client) -> None:
    job = launch(round_with_base, "sft", overrides=TINY_SFT)
    alarm = Alarm.objects.create(job=job, kind="kl", message="The KL is 31 nats.", step=4)
    assert "The KL is 31 nats." in text_of(ines.get(url("round", 1)))
    ines.post(url("alarm_seen", alarm.pk))
    words = text_of(ines.get(url("round", 1)))
    assert "Alarms that were seen" in words
    assert f'action="{url("alarm_seen", alarm.pk)}"' not in words


def test_a_queued_stage_that_no_worker_can_take_says_so(round_with_base: Round, ines: Client) -> None:
    launch(round_with_base, "sft", overrides=TINY_SFT)
    assert "No worker of queue cpu is up" in text_of(ines.get(url("round", 1)))
    assert "Nobody takes from queue cpu." in text_of(ines.get(url("workers")))
    workers.enrol("w1:7", ["cpu"], {"cores": 2, "memory_bytes": 8 << 30})
    assert "A worker of queue cpu is up" in text_of(ines.get(url("round", 1)))
    words = text_of(ines.get(url("workers")))
    assert "<b>1</b> worker is up, and nothing runs." in words
    assert "2 cores, 8.0\xa0GB of memory" in words


def test_a_worker_of_another_projects_job_tells_nothing_of_it(round_with_base: Round, ines: Client) -> None:
    elsewhere = Project.objects.create(name="Secret", slug="secret")
    workers.enrol("w1:7", ["cpu"], {})
    Job.objects.create(
        project=elsewhere, kind="sft", config={}, state="running", owner="w1:7", lease_until=round_with_base.created_at
    )
    words = text_of(ines.get(url("workers")))
    assert "1 job of other projects" in words
    assert "ecret" not in words


class TestCheckBeforeALaunch:
    def test_it_says_what_there_is_and_starts_nothing(
        self, round_with_base: Round, project: Project, settings: Any
    ) -> None:
        real_weights(settings.MODELS_DIR / "base", parameters=1000)
        demonstrations(project, 5, split="valid")
        words = check(project, {"sft.sequences_per_step": "4"})
        assert "1,000 parameters" in words
        assert "by 1 labeler" in words
        assert "none of queue gpu is up" in words
        assert "no stage of this kind has run here yet" in words
        assert not Job.objects.exists()
        assert not project.snapshots.exists()

    def test_it_counts_held_out_prompts_that_begin_like_training_ones(
        self, round_with_base: Round, project: Project, settings: Any
    ) -> None:
        real_weights(settings.MODELS_DIR / "base", parameters=10)
        same = "The same long beginning of a question, " * 10
        prompt(project, f"{same} one way")
        held_out = prompt(project, f"{same} or another", split="valid")
        held_out.responses.create(labeler=writer(project), text="An answer.")
        words = check(project, {})
        assert "1 of 1" in words
        assert "left out: 1 begins like a training prompt" in words

    def test_weights_that_are_cut_are_found_before_the_launch(
        self, round_with_base: Round, project: Project, settings: Any
    ) -> None:
        path = real_weights(settings.MODELS_DIR / "base", parameters=1000)
        path.write_bytes(path.read_bytes()[:-100])
        assert "is cut" in check(project, {})

    def test_too_little_memory_is_said_before_the_launch(
        self, round_with_base: Round, project: Project, settings: Any
    ) -> None:
        real_weights(settings.MODELS_DIR / "base", parameters=10_000)
        workers.enrol("w1:7", ["gpu"], {"memory_bytes": 1000, "disk_free_bytes": 1000})
        words = check(project, {})
        assert "take fewer tokens a micro-batch" in words

    def test_a_value_that_the_launch_would_refuse_is_refused_here(
        self, round_with_base: Round, project: Project
    ) -> None:
        assert "optimizer.learning_rate is -1" in check(project, {"optimizer.learning_rate": "-1"}, status=400)


def check(project: Project, form: dict[str, str], *, status: int = 200) -> str:
    client = signed_in(User.objects.filter(memberships__project=project, memberships__role="researcher").get())
    answer = client.post(url("check_launch", 1, "sft"), form)
    assert answer.status_code == status
    return text_of(answer)


@pytest.fixture(autouse=True)
def somebody(researcher: User) -> None:
    """Who looks at the pages."""


def real_weights(folder: Path, *, parameters: int) -> Path:
    """A file of weights with a true head, and zeros."""
    head = json.dumps({"w": {"dtype": "F32", "shape": [parameters], "data_offsets": [0, 4 * parameters]}}).encode()
    path = folder / "model.safetensors"
    path.write_bytes(struct.pack("<Q", len(head)) + head + b"\0" * 4 * parameters)
    return path


def test_text_that_is_gone_is_refused_by_name(project: Project, tmp_path: Path) -> None:
    from training.errors import LaunchRefused
    from training.text_import import import_text

    text = tmp_path / "text.jsonl"
    text.write_text("".join(json.dumps({"text": f"Story {n}. " * 400}) + "\n" for n in range(50)))
    for snapshot in import_text(project, text):
        path_of(snapshot).unlink()
    with pytest.raises(LaunchRefused, match="The text to train on is not at .* any more"):
        launch(open_round(project), "pretrain")


class TestTwoRoundsCompared:
    def test_settings_data_and_rounds_stand_beside_each_other(
        self, round_with_base: Round, project: Project, ines: Client
    ) -> None:
        launch(round_with_base, "sft", overrides=TINY_SFT)
        demonstrations(project, 5)
        second = open_round(project, base="base")
        launch(second, "sft", overrides=TINY_SFT | {"sft": {"epochs": 3, "sequences_per_step": 4}})
        words = text_of(ines.get(url("compare_rounds", 2), {"with": "1"}))
        assert "Round 2 beside round 1" in words
        assert '<code>sft.epochs</code></th><td class="num"><mark>3</mark></td><td class="num"><mark>1</mark>' in words
        assert "demonstrations_train" in words
        assert '<td class="num">25</td><td class="num">20</td>' in words

    def test_beside_a_stage_that_has_not_run_or_is_not_there_only_what_both_say_differs(
        self, round_with_base: Round, ines: Client
    ) -> None:
        demonstrations(round_with_base.project, 20)
        launch(round_with_base, "sft", overrides=TINY_SFT)
        second = open_round(round_with_base.project, base="base")
        pairs = {pair.kind: pair for pair in compare(second, round_with_base)}
        assert {one.key for one in pairs["sft"].differing} == {"sft.epochs", "sft.sequences_per_step"}
        second.stages.filter(kind="sft").delete()
        pairs = {pair.kind: pair for pair in compare(second, round_with_base)}
        assert pairs["sft"].settings == []

    def test_without_another_round_it_says_so(self, round_with_base: Round, ines: Client) -> None:
        assert "There is no other round" in text_of(ines.get(url("compare_rounds", 1)))

    def test_a_round_that_is_not_there_is_not_found(self, round_with_base: Round, ines: Client) -> None:
        assert ines.get(url("compare_rounds", 1), {"with": "9"}).status_code == 404


def every_address(alarm: Alarm) -> list[tuple[str, str]]:
    posts = [url("next_round", 1), url("round_running", 1), url("stage_wait", 1, "sft"), url("check_launch", 1, "sft")]
    posts.append(url("alarm_seen", alarm.pk))
    gets = [url("workers"), url("compare_rounds", 1), url("job_samples", 1, alarm.job_id)]
    return [("post", one) for one in posts] + [("get", one) for one in gets]


def test_a_stranger_meets_404_and_a_labeler_403(round_with_base: Round, stranger: User, labeler: User) -> None:
    job = launch(round_with_base, "sft", overrides=TINY_SFT)
    alarm = Alarm.objects.create(job=job, kind="kl", message="-")
    for user, status in ((stranger, 404), (labeler, 403)):
        client = signed_in(user)
        assert {getattr(client, method)(address).status_code for method, address in every_address(alarm)} == {status}
    alarm.refresh_from_db()
    assert alarm.seen_at is None
    assert Round.objects.count() == 1
