"""A site with something on every page: the Reading Room, where three town libraries have their answers judged."""

import random
from dataclasses import dataclass
from datetime import timedelta
from itertools import count
from typing import Any

from django.urls import reverse

from labeling.models import (
    Assignment,
    Campaign,
    Cohort,
    Delivery,
    Generator,
    Guideline,
    Labeler,
    Membership,
    Project,
    Prompt,
    Response,
    Role,
    Submission,
    Task,
    User,
    Webhook,
)
from labeling.opening import close_campaign, make_tasks, pause_campaign
from labeling.reviewing import waiting_for
from labeling.webhooks import OFFERED, announce, new_secret
from tests.screens import desk, machines, people, words
from tests.screens.clock import NOW
from tests.screens.told import told_round
from training.founding import found_rehearsal
from training.models import Checkpoint, Job, Round


@dataclass
class Filled:
    """What the addresses of the screens are made of."""

    project: Project
    labelers: dict[str, Labeler]
    cohorts: dict[str, Cohort]
    guidelines: dict[str, Guideline]
    campaigns: dict[str, Campaign]
    held: dict[str, Assignment]
    jobs: dict[str, Job]
    rounds: dict[str, Round]
    checkpoints: dict[str, Checkpoint]
    drafts: dict[int, dict[str, str]]
    rehearsal: Project

    def at(self, name: str, *arguments: Any) -> str:
        return reverse(name, args=[self.project.slug, *arguments])

    def task(self, name: str) -> str:
        return self.at("task", self.held[name].uuid)

    def user(self, name: str) -> User:
        return User.objects.get(username=name)

    @property
    def prompt(self) -> Prompt:
        found = self.held["rank"].task.prompt
        assert found is not None
        return found

    @property
    def ranked_task(self) -> Task:
        """One that three labelers have ranked."""
        return Task.objects.filter(campaign=self.campaigns["ranked"]).order_by("position")[0]

    @property
    def webhook(self) -> Webhook:
        """With a message that arrived and one that does not."""
        url = "https://hooks.example.org/accord"
        found, is_new = Webhook.objects.get_or_create(
            project=self.project, url=url, defaults={"events": list(OFFERED), "secret": new_secret()}
        )
        if is_new:
            announce(self.project.pk, "task.completed", {"task": 1, "campaign": 1, "kind": "ranking", "submissions": 2})
            announce(self.project.pk, "alarm", {"kind": "kl", "message": "KL 31 nats, above 20."})
            one, other = found.deliveries.order_by("pk")
            Delivery.objects.filter(pk=one.pk).update(
                state="delivered", attempts=1, status=200, outcome="Arrived.", next_try_at=None
            )
            Delivery.objects.filter(pk=other.pk).update(
                attempts=2, status=503, outcome="Answered with status 503; expected 200 to 299."
            )
        return found

    @property
    def to_review(self) -> Submission:
        """A demonstration that nobody has reviewed."""
        waiting = waiting_for(self.user("beatriz"), self.project, self.campaigns["returned"]).first()
        assert waiting is not None
        return waiting

    def put_back(self) -> None:
        """Drafts as they were, whatever a page has saved since."""
        for held in self.held.values():
            draft = self.drafts[held.pk]
            saved = NOW - timedelta(seconds=4) if draft else None
            Assignment.objects.filter(pk=held.pk).update(draft=draft, draft_saved_at=saved)


def fill() -> Filled:
    """Needs an empty database, and a clock that stands still."""
    project = people.reading_room()
    labelers = people.join(project)
    maren = User.objects.get(username="maren")
    people.invite(project, maren)
    people.make_tokens(project)
    other_projects(maren)
    cohorts = people.make_cohorts(project, labelers)
    guidelines = desk.make_guidelines(project)
    first, made = machines.first_round(project, maren)
    second, jobs = machines.second_round(project, maren, made["pretrain"])
    machines.at_work(jobs)
    campaigns = judged_campaigns(project, guidelines, labelers)
    machines.judged_by(first, "rank", campaigns["ranked"])
    machines.judged_by(first, "evaluate", campaigns["evaluated"])
    machines.judged_by(second, "rank", campaigns["again"], state="done")
    for key in ("ranked", "again"):
        close_campaign(campaigns[key])
    rehearsal = found_rehearsal([(maren, Role.OWNER)])
    machines.base_is_trained(rehearsal, maren)
    told_round(rehearsal, maren)
    held = work_in_hand(project, guidelines, labelers, cohorts, campaigns)
    return Filled(
        project=project, labelers=labelers, cohorts=cohorts, guidelines=guidelines, campaigns=campaigns, held=held,
        jobs=jobs, rounds={"first": first, "second": second}, checkpoints=made,
        drafts={one.pk: dict(one.draft) for one in held.values()}, rehearsal=rehearsal,
    )  # fmt: skip


def other_projects(owner: User) -> None:
    """So that the list of projects is one."""
    for name, slug, role in (
        ("Letters and notices of the three town libraries, in plain English", "letters", Role.RESEARCHER),
        ("Opening hours", "opening-hours", Role.LABELER),
    ):
        Membership.objects.create(user=owner, project=people.found(name, slug), role=role)


def writers(project: Project) -> list[Generator]:
    """Best first."""
    return [desk.generator(project, name, kind) for name, kind in
            (("r1-ppo", "policy"), ("r1-sft", "sft"), ("r1-base", "base"))]  # fmt: skip


def asked(project: Project, *, split: str) -> list[Prompt]:
    return [
        desk.make_prompt(project, words.said(text if split == "train" else f"{text}\n\nIn one sentence, please."),
                         use_case=use_case, split=split)
        for use_case, text in words.QUESTIONS
    ]  # fmt: skip


def three_answers(prompt: Prompt, by: list[Generator], number: int) -> list[Response]:
    start, reason = words.STARTS[number % 7], words.REASONS[number % 3]
    texts = [form.format(start=start, reason=reason, more=words.MORE[number % 3]) for _, form in words.MODELS]
    return desk.answers(prompt, texts, by)


def judged_campaigns(
    project: Project, guidelines: dict[str, Guideline], labelers: dict[str, Labeler]
) -> dict[str, Campaign]:
    """Rankings of both rounds and the first one's evaluation."""
    by = writers(project)
    ranked = [labelers[name] for name in people.LABELERS]
    prompts = asked(project, split="train")
    tables = [(prompt, three_answers(prompt, by, number)) for number, prompt in enumerate(prompts)]
    csv = desk.make_prompt(project, words.CSV_QUESTION, use_case="generation")
    tables.insert(0, (csv, desk.answers(csv, words.CSV_ANSWERS, [by[0], by[1], by[2]])))
    found = {
        "ranked": desk.make_campaign(
            project, guidelines["ranking"], "Round 1: rank", tables[:11], overlap=3, required=["ranks"]
        ),
        "again": desk.make_campaign(
            project, guidelines["ranking"], "Round 2: rank", tables[11:], overlap=2, required=["ranks", "ratings"]
        ),
    }
    desk.rank_some(found["ranked"], ranked, 11)
    desk.rank_some(found["again"], ranked[::-1], 7)
    found["evaluated"] = evaluate(project, guidelines["rating"], labelers, by)
    return found


def evaluate(project: Project, guideline: Guideline, labelers: dict[str, Labeler], by: list[Generator]) -> Campaign:
    """Two labelers rate what the three models, and people, wrote to held-out prompts."""
    chance = random.Random("evaluate")
    items = []
    merits = {"policy": 5.4, "sft": 4.5, "base": 2.3}
    for number, prompt in enumerate(asked(project, split="test")):
        for response in three_answers(prompt, by, number):
            items.append((prompt, [response]))
        text = f"{words.STARTS[number % 7]} {words.REASONS[(number + 1) % 3]}"
        human = Response.objects.create(prompt=prompt, labeler=labelers["owen"], text=text, token_count=len(text) // 4)
        items.append((prompt, [human]))
    campaign = desk.make_campaign(
        project, guideline, "Round 1: rate", items, overlap=2, required=["ratings"], blind=True
    )
    places: dict[int | None, int] = {}
    raters = [labelers[name] for name in ("lars", "aiko", "dele", "nadia")]
    for number, task in enumerate(campaign.tasks.order_by("position").select_related("campaign")):
        pair = places.setdefault(task.prompt_id, len(places))
        response = task.responses.select_related("generator").get()
        merit = merits[response.generator.kind] if response.generator else 5.9
        for turn in range(2):
            at = NOW - timedelta(days=6, minutes=3 * number + turn)
            submission = desk.done(task, raters[(pair + turn) % 4], at, seconds=chance.randrange(25, 90))
            overall = min(7, max(1, round(chance.gauss(merit, 0.9))))
            flags = {flag["name"]: chance.random() < (7 - merit) / 12 for flag in words.FLAGS}
            desk.judge(submission, [{
                "ratings": {"overall": overall, "helpful": min(7, max(1, overall + chance.choice((-1, 0, 0, 1))))},
                "flags": flags,
            }])  # fmt: skip
    close_campaign(campaign)
    return campaign


AT_WORK = {
    "rank": "lars", "nine": "aiko", "pair": "nadia", "rate": "dele", "demonstrate": "aiko", "returned": "lars",
    "plain": "dele", "few_shot": "nadia", "user_based": "owen",
}  # fmt: skip
"""Who has what before them."""

RANKED_DRAFT = {
    "rating-A-overall": "6", "rating-B-overall": "5", "rating-C-overall": "2", "rating-D-overall": "3",
    "rank-A": "1", "rank-B": "2", "rank-C": "3", "rank-D": "1",
    "flag-C-misses_task": "yes", "flag-C-hallucination": "no", "flag-A-misses_task": "no", "flag-A-hallucination": "no",
}  # fmt: skip
NINE_DRAFT = {
    "rating-A-overall": "6", "rating-B-overall": "7", "rating-C-overall": "2", "rating-D-overall": "3",
    "rating-E-overall": "6", "rank-B": "1", "rank-A": "2", "rank-E": "2", "rank-D": "4", "rank-C": "5",
}  # fmt: skip


def work_in_hand(
    project: Project, guidelines: dict[str, Guideline], labelers: dict[str, Labeler], cohorts: dict[str, Cohort],
    campaigns: dict[str, Campaign],
) -> dict[str, Assignment]:  # fmt: skip
    """What somebody has before them, in a campaign of its own each."""
    by = writers(project)

    def tasks(conversations: list[tuple[list[words.Turn], list[str]]]) -> list[tuple[Prompt, list[Response]]]:
        use_cases = ("generation", "chat", "summarization", "rewrite", "brainstorming")
        prompts = [
            desk.make_prompt(project, messages, use_case=use_cases[number % 5])
            for number, (messages, _) in enumerate(conversations)
        ]
        return [
            (prompt, desk.answers(prompt, texts, by)) for prompt, (_, texts) in zip(prompts, conversations, strict=True)
        ]

    asked_before = count(0, 9)

    def more(shown: int) -> list[tuple[list[words.Turn], list[str]]]:
        """Tasks after the one in hand, so that something is left."""
        forms = [
            f"{{start}} {ending}".strip() for ending in ("", *words.REASONS, *words.MORE, "Ask me again.", "Truly.")
        ]
        further = words.further_questions(5 + shown, start=next(asked_before))
        return [(words.said(text), [forms[place].format(start=words.STARTS[number % 7]) for place in range(shown)])
                for number, (_, text) in enumerate(further)]  # fmt: skip

    held: dict[str, Assignment] = {}

    def hand_out(key: str, kind: str, name: str, first: list[words.Turn], texts: list[str], draft: dict[str, str],
                 **settings: Any) -> None:  # fmt: skip
        items = tasks([(first, texts), *more(len(texts))])
        campaigns[key] = desk.make_campaign(project, guidelines[kind], name, items, **settings)
        held[key] = desk.in_hand(campaigns[key], labelers[AT_WORK[key]], draft, seconds_ago=4)

    answers = ["ranks", "ratings"]
    hand_out("rank", "ranking", "Answers at the desk", words.CSV_QUESTION_AGAIN, words.CSV_ANSWERS, RANKED_DRAFT,
             overlap=2, required=answers)  # fmt: skip
    hand_out("nine", "ranking", "Nine ways to say it", words.HEDGE, words.HEDGE_ANSWERS, NINE_DRAFT, required=["ranks"])
    hand_out("pair", "ranking", "For children: which of two", words.TIDE, words.TIDE_ANSWERS, {"better": "A"},
             cohort=cohorts["Desk"])  # fmt: skip
    hand_out("rate", "rating", "Notices, one by one", words.LETTER, [words.LETTER_ANSWER],
             {"rating-A-overall": "6", "flag-A-misses_task": "no"}, overlap=2, blind=True)  # fmt: skip
    hand_out("demonstrate", "demonstration", "Answers to imitate", words.CLOCK, [], {"text": words.CLOCK_DRAFT})
    return_one(project, guidelines, labelers, campaigns, held)
    for key, name, draft in (
        ("plain", "Questions of our readers", words.PLAIN),
        ("few_shot", "Sorting the desk's mail", words.FEW_SHOT),
        ("user_based", "Posters and letters", words.USER_BASED),
    ):
        campaigns[key] = desk.make_campaign(project, guidelines["prompt"], name, [], quota=120, per_labeler=20)
        held[key] = desk.in_hand(campaigns[key], labelers[AT_WORK[key]], draft, seconds_ago=4)
    recent_work(campaigns["rank"], labelers, most=7)
    recent_work(campaigns["nine"], labelers, most=4)
    recent_work(campaigns["pair"], labelers, most=5)
    unopened(project, guidelines)
    return held


def return_one(
    project: Project, guidelines: dict[str, Guideline], labelers: dict[str, Labeler], campaigns: dict[str, Campaign],
    held: dict[str, Assignment],
) -> None:  # fmt: skip
    """A demonstration that a reviewer returned, beside one that was accepted and one that waits."""
    items = [(desk.make_prompt(project, words.TUBE, use_case="generation"), [])]
    items += [
        (desk.make_prompt(project, words.said(text), use_case=use_case), [])
        for use_case, text in words.further_questions(5, start=66)
    ]
    campaign = campaigns["returned"] = desk.make_campaign(
        project, guidelines["demonstration"], "Cards for the boxes", items
    )
    tasks = list(campaign.tasks.order_by("position").select_related("campaign", "prompt"))
    reviewer = labelers["beatriz"]
    texts = [words.TUBE_ANSWER, f"{words.STARTS[1]} {words.REASONS[0]}", f"{words.STARTS[2]} {words.REASONS[1]}"]
    for number, (task, text) in enumerate(zip(tasks, texts, strict=False)):
        at = NOW - timedelta(hours=20 - number)
        submission = desk.demonstrate(task, labelers["lars"], text, at, seconds=240 + 31 * number)
        if number == 0:
            desk.review(submission, reviewer, "returned", words.TUBE_REMARKS, hours_ago=3.2)
            held["returned"] = Assignment.objects.get(pk=submission.assignment_id)
        elif number == 1:
            desk.review(submission, reviewer, "accepted", hours_ago=3)
    for number, (task, who) in enumerate(zip(tasks[3:], ("aiko", "dele", "nadia"), strict=True)):
        text = f"{words.STARTS[number]} {words.REASONS[number]}"
        desk.demonstrate(task, labelers[who], text, NOW - timedelta(hours=9 - 2 * number), seconds=190 + 17 * number)


def unopened(project: Project, guidelines: dict[str, Guideline]) -> None:
    """A campaign that is paused, and one that is a draft still."""
    for name, start, opened in (("Letters that nobody answered", 40, True), ("Letters to late readers", 50, False)):
        questions = words.further_questions(8, start=start)
        prompts = [desk.make_prompt(project, words.said(f"{text} By letter."), use_case=use) for use, text in questions]
        kind = guidelines["demonstration"]
        if opened:
            pause_campaign(desk.make_campaign(project, kind, name, [(prompt, []) for prompt in prompts]))
        else:
            draft = Campaign.objects.create(project=project, name=name, kind=kind.kind, guideline=kind)
            make_tasks(draft, [(prompt, []) for prompt in prompts])


def recent_work(campaign: Campaign, labelers: dict[str, Labeler], *, most: int) -> None:
    """Some tasks of the last days, so that a day's count and its time are more than nothing."""
    chance = random.Random(f"recent {campaign.name}")
    tasks = campaign.tasks.order_by("-position").select_related("campaign")[:most]
    for number, task in enumerate(tasks):
        at = NOW - timedelta(minutes=9 + 11 * number) if number < 4 else NOW - timedelta(days=number - 3, minutes=30)
        for who in ("lars", "aiko")[: min(campaign.overlap, 1 + number % 2)]:
            submission = desk.done(task, labelers[who], at, seconds=chance.randrange(70, 200))
            ranks = list(range(1, task.responses.count() + 1))
            desk.judge(submission, [{"rank": rank, "ratings": {"overall": max(1, 7 - rank)}} for rank in ranks])
