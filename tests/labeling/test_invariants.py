"""Claim, expire, sweep, draft, skip, submit, correct, gild and put back in any order, by several labelers: the rules
hold at each step.

What counts is never more than the overlap; one live lease a labeler and campaign; counters equal a recount; nobody
meets a task again that they submitted, but as a hidden repeat, whose original then stays; gold and repeats take no
slot; what is aside has none to give; a repeated key changes nothing; drafts are never lost.
"""

from collections.abc import Callable
from typing import Any
from unittest.mock import patch
from uuid import UUID, uuid4

import pytest
from django.db.models import Count
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from labeling import beside
from labeling.assigning import claim
from labeling.errors import AlreadySubmitted, StaleLease
from labeling.gold import Gold, retire_gold, write_gold
from labeling.models import Assignment, Campaign, ClaimCursor, GoldAnswer, Project, Role, Submission, Task
from labeling.releasing import release_expired
from labeling.setting_aside import put_back
from labeling.skipping import SKIP_REASONS
from labeling.submitting import keep_draft
from tests.conftest import make_member
from tests.labeling.work import let_lapse, make_campaign, make_labeler, ranked, recounted_slots, skip_now, submit_now

pytestmark = [pytest.mark.sqlite]

PEOPLE = st.integers(0, 2)
TASKS = st.integers(0, 2)


def at_a_task(act: Callable[..., None]) -> Callable[..., None]:
    """act with the task that who's page shows; nothing where it shows none.

    Not a precondition, and nothing drawn from what is held: whether there is gold or a repeat hangs on ids, so the same
    draws meet other tasks the next time, and hypothesis takes what is drawn by them for flaky.
    """

    def rule_body(self: Any, who: int, **drawn: Any) -> None:
        if who in self.held:
            act(self, self.held[who], **drawn)

    rule_body.__name__ = act.__name__
    return rule_body


class Labeling(RuleBasedStateMachine):
    """Three labelers and three tasks of overlap 2. held: what each labeler's page shows, perhaps long out of date.
    settled: how many submissions an original had when its repeat was given."""

    @initialize(
        policy=st.sampled_from(Campaign.SkipPolicy.values),
        rates=st.sampled_from([(0, 0), (25, 25), (25, 0), (0, 25)]),
        minutes=st.sampled_from([0, 60]),
    )
    def open(self, policy: str, rates: tuple[int, int], minutes: int) -> None:
        self.project = Project.objects.create(name="P", slug=f"p-{uuid4().hex[:8]}")
        self.campaign = make_campaign(
            self.project, tasks=3, shown=2, overlap=2, skip_policy=policy, correction_minutes=minutes,
            gold_rate=rates[0], repeat_rate=rates[1],
        )  # fmt: skip
        self.author = make_member(self.project, f"author-{self.project.slug}", Role.REVIEWER)
        self.settled: dict[int, int] = {}
        self.people = [make_labeler(self.project, f"{self.project.slug}-{number}") for number in range(3)]
        self.held: dict[int, Assignment] = {}
        self.keys: dict[int, UUID] = {}
        self.drafts: dict[int, str] = {}

    @rule(who=PEOPLE)
    def claims(self, who: int) -> None:
        ClaimCursor.objects.filter(campaign=self.campaign).update(nothing_until=None)
        submitted = set(self.of(who).filter(state="submitted").values_list("task", flat=True))
        live = self.of(who).filter(state="live").first()
        assignment = claim(self.campaign, self.people[who])
        if live is not None:
            assert assignment is not None
            assert assignment.pk == live.pk
        if assignment is not None:
            if assignment.occurrence == 0:
                assert assignment.task_id not in submitted
            elif assignment.task_id in submitted:
                original = self.of(who).get(task=assignment.task_id, occurrence=0)
                self.settled.setdefault(original.pk, original.submissions.count())
            else:
                assert GoldAnswer.objects.filter(task=assignment.task_id).exists()
            self.held[who] = assignment

    @rule(place=TASKS)
    def gilds(self, place: int) -> None:
        write_gold(self.task(place), self.author, Gold(order="A > B"))

    @rule(place=TASKS)
    def puts_back(self, place: int) -> None:
        task = self.task(place)
        retire_gold(task) if task.aside == Task.Aside.GOLD else put_back(task)

    def task(self, place: int) -> Task:
        return Task.objects.get(campaign=self.campaign, position=place)

    @rule(who=PEOPLE)
    @at_a_task
    def lapses(self, assignment: Assignment) -> None:
        if Assignment.objects.get(pk=assignment.pk).state == "live":
            let_lapse(assignment)

    @rule()
    def sweeps(self) -> None:
        release_expired()
        assert release_expired() == 0

    @rule(who=PEOPLE, words=st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=5))
    @at_a_task
    def writes(self, assignment: Assignment, words: str) -> None:
        try:
            keep_draft(assignment, {"note": words}, lease_token=assignment.lease_token)
            self.drafts[assignment.pk] = words
        except (StaleLease, AlreadySubmitted):
            pass

    @rule(who=PEOPLE, reason=st.sampled_from(SKIP_REASONS))
    @at_a_task
    def skips(self, assignment: Assignment, reason: Any) -> None:
        try:
            skip_now(assignment, reason)
        except StaleLease:
            assert Assignment.objects.get(pk=assignment.pk).lease_token != assignment.lease_token
        except AlreadySubmitted:
            assert Assignment.objects.get(pk=assignment.pk).state == "submitted"

    @rule(who=PEOPLE, repeat=st.booleans(), correct=st.booleans())
    @at_a_task
    def submits(self, assignment: Assignment, repeat: bool, correct: bool) -> None:
        before = Submission.objects.filter(assignment=assignment).count()
        key = self.keys.get(assignment.pk) if repeat else None
        try:
            outcome = submit_now(assignment, ranked(1, 2), key=key or uuid4(), corrects=before if correct else 0)
        except (StaleLease, AlreadySubmitted):
            assert Submission.objects.filter(assignment=assignment).count() == before
            return
        assert outcome.repeated == bool(key)
        assert Submission.objects.filter(assignment=assignment).count() == before + (not outcome.repeated)
        self.keys[assignment.pk] = outcome.submission.key
        self.drafts.pop(assignment.pk, None)

    def of(self, who: int) -> Any:
        return Assignment.objects.filter(labeler=self.people[who])

    @invariant()
    def counters_equal_a_recount(self) -> None:
        for task in Task.objects.filter(campaign=self.campaign):
            assert 0 <= task.open_slots <= task.overlap
            assert task.open_slots == recounted_slots(task)
            assert not (task.aside and task.open_slots)

    @invariant()
    def counted_submissions_stay_within_the_overlap(self) -> None:
        for task in Task.objects.filter(campaign=self.campaign):
            counted = task.assignments.filter(current_submission__counted=True, occurrence=0)
            assert counted.count() <= task.overlap

    @invariant()
    def nobody_has_a_task_more_than_twice(self) -> None:
        given = Assignment.objects.filter(campaign=self.campaign).values("task", "labeler")
        assert not given.annotate(often=Count("pk")).filter(often__gt=2)

    @invariant()
    def an_original_stays_once_it_was_repeated(self) -> None:
        for pk, submissions in self.settled.items():
            assert Submission.objects.filter(assignment=pk).count() == submissions

    @invariant()
    def one_live_lease_a_labeler(self) -> None:
        live = Assignment.objects.filter(campaign=self.campaign, state="live")
        assert not live.values("labeler").annotate(held=Count("pk")).filter(held__gt=1)

    @invariant()
    def no_draft_is_lost(self) -> None:
        for pk, words in self.drafts.items():
            assert Assignment.objects.get(pk=pk).draft == {"note": words}

    @invariant()
    def the_current_submission_is_the_last_one(self) -> None:
        for assignment in Assignment.objects.filter(campaign=self.campaign, state="submitted"):
            numbers = list(assignment.submissions.order_by("number").values_list("number", flat=True))
            assert numbers == list(range(1, len(numbers) + 1))
            assert assignment.current_submission is not None
            assert assignment.current_submission.number == numbers[-1]


def check(*, examples: int, steps: int) -> None:
    # With so few tasks a repeat comes soon or never.
    with patch.object(beside, "REPEAT_AFTER", 1):
        run_state_machine_as_test(
            Labeling,
            # Not shrunk: twenty steps on a database are read as they are; shrinking them takes minutes.
            settings=settings(
                phases=[Phase.explicit, Phase.generate],
                max_examples=examples,
                stateful_step_count=steps,
                deadline=None,
                suppress_health_check=list(HealthCheck),
            ),
        )


class TestLabeling(TestCase):
    def test_the_rules_hold_after_every_step(self) -> None:
        check(examples=12, steps=20)
