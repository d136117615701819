"""What an evaluation says: figures of its campaign's ratings, of whom, beside whom; against numbers found by hand."""

from datetime import timedelta
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone

from labeling.evaluating import Rating, mean_difference
from labeling.models import Assignment, Campaign, Cohort, CohortMember, Labeler, Project, Submission, User
from tests.conftest import signed_in
from tests.labeling.work import make_labeler
from tests.training.evaluated import Rater, rate_all, rated_campaign, trained
from tests.training.making import writer
from training.evaluation import Evaluation, evaluation_of
from training.models import Round
from training.verdicts import interactions, wanting_of
from training.views.findings import claim_of

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]

POLICY = {"ina": (6, 4, 5), "ben": (5, 5, 5), "eve": (7, 3, 5)}
SFT = {"ina": (4, 5, 3), "ben": (4, 4, 2), "eve": (4, 3, 4)}
"""By labeler, on three prompts. Means by prompt: policy 6, 4, 5; SFT 4, 4, 3."""


@pytest.fixture
def done(round_with_base: Round, settings: Any) -> Round:
    """Three people rated what SFT and the policy wrote to three prompts."""
    round_ = trained(round_with_base, settings)
    campaign = rated_campaign(round_, ("sft", "policy"), prompts=3, overlap=4)
    for name in POLICY:
        rate_all(campaign, rater(make_labeler(round_.project, name), name))
    return round_


def rater(labeler: Labeler, name: str = "ina") -> Rater:
    overall = {("policy", place): value for place, value in enumerate(POLICY[name])}
    overall |= {("sft", place): value for place, value in enumerate(SFT[name])}
    flagged = frozenset({("sft", 0)} if name == "ina" else set())
    return Rater(labeler, overall, flagged)


def campaign_of(round_: Round) -> Campaign:
    campaign = round_.stages.get(kind="evaluate").campaign
    assert campaign is not None
    return campaign


def evaluation(round_: Round, **more: str) -> Evaluation:
    found = evaluation_of(round_, campaign_of(round_), **more)
    assert found is not None
    return found


class TestFigures:
    def test_the_policy_is_set_beside_the_sft_model_of_its_round(self, done: Round) -> None:
        found = evaluation(done)
        assert (found.subject.label, found.baseline.label) == ("PPO, round 1", "SFT, round 1")
        assert [author.label for author in found.authors] == ["PPO, round 1", "SFT, round 1"]
        assert (found.prompts, found.labelers, len(found.said)) == (3, 3, 18)

    def test_means_are_those_found_by_hand(self, done: Round) -> None:
        found = evaluation(done)
        assert found.mean(found.subject).value == pytest.approx(5.0)
        assert found.mean(found.baseline, "helpful").value == pytest.approx(11 / 3)

    def test_the_difference_is_taken_prompt_by_prompt_with_the_interval_of_the_statistics(self, done: Round) -> None:
        found = evaluation(done)
        difference = found.difference(found.subject)
        assert difference.value == pytest.approx(4 / 3)
        plain = [
            Rating(generator=generator, prompt=place, labeler=name, value=value)
            for generator, said in (("PPO", POLICY), ("SFT", SFT))
            for name, values in said.items()
            for place, value in enumerate(values)
        ]
        expected = mean_difference(plain, generator="PPO", baseline="SFT").interval
        assert expected is not None
        assert difference.interval is not None
        assert (difference.interval.low, difference.interval.high) == pytest.approx((expected.low, expected.high))

    def test_a_win_is_one_labelers_higher_rating_and_a_tie_a_half(self, done: Round) -> None:
        found = evaluation(done)
        wins = found.wins(found.subject, found.baseline)
        assert (wins.value, wins.count) == (pytest.approx(7.5 / 9), 9)

    def test_a_flags_rate_is_the_share_of_answers_that_are_yes(self, done: Round) -> None:
        found = evaluation(done)
        assert found.flagged(found.baseline, "hallucination").value == pytest.approx(1 / 9)
        assert found.flag_difference("hallucination").value == pytest.approx(-1 / 9)

    def test_another_baseline_turns_the_difference_round(self, done: Round) -> None:
        policy = evaluation(done).subject
        turned = evaluation(done, baseline=policy.key)
        assert turned.subject.kind == "sft"
        assert turned.difference(turned.subject).value == pytest.approx(-4 / 3)

    def test_what_is_undefined_says_why(self, round_with_base: Round, settings: Any) -> None:
        round_ = trained(round_with_base, settings)
        rated_campaign(round_, ("sft", "policy"), prompts=1, overlap=1)
        assert "Nobody rated" in evaluation(round_).difference(evaluation(round_).subject).reason


class TestWhatCounts:
    def test_a_correction_replaces_what_was_said_and_a_withdrawn_submission_does_not_count(self, done: Round) -> None:
        one = Assignment.objects.filter(campaign=campaign_of(done), labeler__user__username="eve").earliest("pk")
        Submission.objects.filter(pk=one.current_submission_id).update(withdrawn_at=timezone.now())
        assert len(evaluation(done).said) == 17
        Submission.objects.filter(pk=one.current_submission_id).update(withdrawn_at=None, counted=False)
        assert len(evaluation(done).said) == 17

    def test_simulated_labelers_are_never_mixed_with_people_unasked(self, done: Round) -> None:
        robot = writer(done.project, "robot", source="simulated")
        low = {(kind, place): 1 for kind in ("sft", "policy") for place in range(3)}
        rate_all(campaign_of(done), Rater(robot, low))
        people, simulated, both = (evaluation(done, raters=raters) for raters in ("", "simulated", "both"))
        assert (people.raters, people.labelers) == ("people", 3)
        assert people.mean(people.subject).value == pytest.approx(5.0)
        assert simulated.mean(simulated.subject).value == 1.0
        assert both.labelers == 4
        assert people.by_source == {"people": 3, "simulated": 1}

    def test_in_a_rehearsal_simulated_labelers_speak_first(self, done: Round) -> None:
        Project.objects.filter(pk=done.project.pk).update(simulated=True)
        done.project.refresh_from_db()
        assert evaluation(done).raters == "people"
        rate_all(campaign_of(done), Rater(writer(done.project, "robot", source="simulated"), {("sft", 0): 2}))
        assert evaluation(done).raters == "simulated"

    def test_a_cohort_is_the_one_a_labeler_was_in_when_they_rated(self, done: Round) -> None:
        now, day = timezone.now(), timedelta(days=1)
        plain, polite = (Cohort.objects.create(project=done.project, name=name) for name in ("Plain", "Polite"))
        ina, ben, eve = (done.project.labelers.get(user__username=name) for name in ("ina", "ben", "eve"))
        CohortMember.objects.create(cohort=plain, labeler=ina, since=now - day)
        CohortMember.objects.create(cohort=plain, labeler=ben, since=now - 2 * day, until=now - day)
        CohortMember.objects.create(cohort=polite, labeler=ben, since=now - day)
        CohortMember.objects.create(cohort=polite, labeler=eve, since=now + day)
        found = evaluation(done)
        parts = found.by_cohort()
        assert {name: len(said) for name, said in parts.items()} == {"Plain": 6, "Polite": 6}
        assert found.mean(found.subject, among=parts["Plain"]).value == pytest.approx(5.0)
        assert found.difference(found.subject, among=parts["Polite"]).value == pytest.approx(5 - 10 / 3)

    def test_of_a_cohort_by_a_rule_nothing_is_told_below_five_raters(
        self, round_with_base: Round, settings: Any, researcher: User
    ) -> None:
        round_ = trained(round_with_base, settings)
        campaign = rated_campaign(round_, ("sft", "policy"), prompts=2, overlap=6)
        young = Cohort.objects.create(project=round_.project, name="Young", rule={"age": ["young"]})
        others = Cohort.objects.create(project=round_.project, name="Others")
        for number, name in enumerate("abcdef"):
            one = make_labeler(round_.project, name)
            since = timezone.now() - timedelta(days=1)
            CohortMember.objects.create(cohort=young if number < 5 else others, labeler=one, since=since)
            rate_all(campaign, Rater(one, {(kind, place): 4 for kind in ("sft", "policy") for place in range(2)}))
        page = reverse("evaluation", args=["helpdesk", round_.number])
        seen = signed_in(researcher).get(page, {"as": "json"}).json()
        assert (set(seen["cohorts"]), seen["wanting"]) == ({"Others", "Young"}, [])
        assert [one["cohorts"] for one in seen["interactions"]] == [["Others", "Young"]]
        young.members.filter(labeler__user__username="a").update(cohort=others)
        seen = signed_in(researcher).get(page, {"as": "json"}).json()
        assert set(seen["cohorts"]) == {"Others"}
        assert seen["interactions"] == []
        assert "Fewer than 5 people of Young rated" in seen["wanting"][0]
        assert "Fewer than 5 people of Young rated" in signed_in(researcher).get(page).content.decode()

    def test_two_cohorts_of_which_one_by_a_rule_has_few_raters_alone_are_not_compared(
        self, round_with_base: Round, settings: Any
    ) -> None:
        round_ = trained(round_with_base, settings)
        campaign = rated_campaign(round_, ("sft", "policy"), prompts=2, overlap=6)
        young = Cohort.objects.create(project=round_.project, name="Young", rule={"age": ["young"]})
        others = Cohort.objects.create(project=round_.project, name="Others")
        for number, name in enumerate("abcdef"):
            one = make_labeler(round_.project, name)
            for cohort in [young] * (number < 5) + [others] * (number > 0):
                CohortMember.objects.create(cohort=cohort, labeler=one, since=timezone.now() - timedelta(days=1))
            rate_all(campaign, Rater(one, {(kind, place): 4 for kind in ("sft", "policy") for place in range(2)}))
        found = evaluation(round_)
        assert set(found.by_cohort()) == {"Others", "Young"}
        assert interactions(found) == []
        assert "Fewer than 5 raters of Young who are not in Others rated both" in wanting_of(found)[0]

    @pytest.mark.parametrize("number", [4, 5])
    def test_a_campaign_kept_for_a_cohort_by_a_rule_is_told_like_the_cohort(
        self, round_with_base: Round, settings: Any, researcher: User, number: int
    ) -> None:
        round_ = trained(round_with_base, settings)
        campaign = rated_campaign(round_, ("sft", "policy"), prompts=2, overlap=7)
        young = Cohort.objects.create(project=round_.project, name="Young", rule={"age": ["young"]})
        Campaign.objects.filter(pk=campaign.pk).update(cohort=young)
        names = [make_labeler(round_.project, name) for name in "abcdef"[:number]]
        for one in names:
            CohortMember.objects.create(cohort=young, labeler=one, since=timezone.now() - timedelta(days=1))
            rate_all(campaign, Rater(one, {(kind, place): 4 for kind in ("sft", "policy") for place in range(2)}))
        client, page = signed_in(researcher), reverse("evaluation", args=["helpdesk", round_.number])
        seen, html = client.get(page, {"as": "json"}).json(), client.get(page).content.decode()
        means = [one["means"]["overall"]["value"] for one in seen["generators"]]
        assert means == ([4.0, 4.0] if number == 5 else [None, None])
        assert seen["labelers"] == (5 if number == 5 else 0)
        assert ("Fewer than 5 people of Young rated each model" in html) is (number == 4)
        assert ("at least 5 people" in html) is (number == 5)
        assert not [one for one in names if one.pseudonym in html]
        assert ("labeler 5" in html) is (number == 5)

    def test_raters_are_counted_on_the_prompts_that_a_difference_rests_on(
        self, round_with_base: Round, settings: Any
    ) -> None:
        round_ = trained(round_with_base, settings)
        campaign = rated_campaign(round_, ("sft", "policy"), prompts=2, overlap=9)
        young = Cohort.objects.create(project=round_.project, name="Young", rule={"age": ["young"]})
        for number, name in enumerate("abcdefgh"):
            one = make_labeler(round_.project, name)
            CohortMember.objects.create(cohort=young, labeler=one, since=timezone.now() - timedelta(days=1))
            # The first prompt is everybody's for SFT and the policy's for two alone; the second is nobody's for SFT.
            on = {("sft", 0): 4, ("policy", 0): 4} if number < 2 else {("sft", 0): 4, ("policy", 1): 4}
            rate_all(campaign, Rater(one, on))
        found = evaluation(round_)
        assert found.by_cohort() == {}
        assert "Fewer than 5 people of Young" in wanting_of(found)[0]

    def test_a_use_case_needs_enough_prompts(self, done: Round, monkeypatch: pytest.MonkeyPatch) -> None:
        assert evaluation(done).by_use_case() == {}
        monkeypatch.setattr("training.evaluation.ENOUGH_PROMPTS", 3)
        assert {name: len(said) for name, said in evaluation(done).by_use_case().items()} == {"other": 18}

    def test_human_demonstrations_stand_among_the_others(self, round_with_base: Round, settings: Any) -> None:
        round_ = trained(round_with_base, settings)
        campaign = rated_campaign(round_, ("human", "sft", "policy"), prompts=1, overlap=1)
        rate_all(campaign, Rater(make_labeler(round_.project, "ina"), {("human", 0): 7, ("sft", 0): 3}))
        found = evaluation(round_)
        assert [author.label for author in found.authors] == ["Human demonstrations", "PPO, round 1", "SFT, round 1"]
        assert found.mean(found.authors[0]).value == 7.0


class TestTheClaim:
    def test_it_says_who_rates_what_how_much_higher_on_how_many_prompts(self, done: Round) -> None:
        found = evaluation(done)
        claim = claim_of(found, over=True)
        assert claim.startswith("People rate the policy 1.33 above SFT on 3 held-out prompts, which may be chance (")

    def test_before_all_ratings_are_in_it_says_so_far(self, done: Round) -> None:
        assert claim_of(evaluation(done), over=False).startswith("So far people rate the policy 1.33 above SFT")

    def test_a_lower_rating_is_told_as_one(self, done: Round) -> None:
        found = evaluation(done, baseline=evaluation(done).subject.key)
        assert claim_of(found, over=True).startswith("People rate SFT 1.33 below the policy")

    def test_a_clear_difference_has_its_interval_in_brackets(self, round_with_base: Round, settings: Any) -> None:
        round_ = trained(round_with_base, settings)
        campaign = rated_campaign(round_, ("sft", "policy"), prompts=6, overlap=4)
        for number, name in enumerate("abcd"):
            overall = {("policy", place): 6 + (place + number) % 2 for place in range(6)}
            overall |= {("sft", place): 2 + (place * number) % 2 for place in range(6)}
            rate_all(campaign, Rater(make_labeler(round_.project, name), overall))
        claim = claim_of(evaluation(round_), over=True)
        interval = evaluation(round_).difference(evaluation(round_).subject).interval
        assert interval is not None
        assert claim == (
            f"People rate the policy {6.5 - 2.25:.2f} above SFT ({interval.low:.2f} to {interval.high:.2f}) "
            "on 6 held-out prompts."
        )

    def test_without_ratings_it_claims_nothing(self, round_with_base: Round, settings: Any) -> None:
        round_ = trained(round_with_base, settings)
        campaign = rated_campaign(round_, ("sft", "policy"), prompts=1, overlap=2)
        assert claim_of(evaluation(round_), over=False) == "Nobody has rated these responses yet."
        rate_all(campaign, Rater(writer(round_.project, "robot", source="simulated"), {("sft", 0): 2}))
        claim = claim_of(evaluation(round_), over=True)
        assert claim == "No person has rated these responses; 1 simulated labeler has."
