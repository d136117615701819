"""From the tables of what people said to the rows that a stage reads (training/rlhf/contract/records.py).

Only what counts: submissions within the overlap, not withdrawn, and current. Simulated judgments are never mixed in
unasked. Ids are opaque and sort as their numbers do, so that rows come out in the order of the file and nothing has to
be held in memory.
"""

import hashlib
from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from heapq import nsmallest
from itertools import groupby
from typing import Annotated, Any, Literal

from django.db.models import Exists, F, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce

from labeling.intake import beginning
from labeling.models import Adjudication, Judgment, Labeler, Project, Prompt, Response, WorkKind
from labeling.reports.agreement import AgreementReport
from labeling.reports.judgments import judgments_in
from labeling.reports.quality import quality_report
from labeling.reports.scope import Scope
from labeling.reviewing import not_returned
from training.conditions import Conditions, only_in, told_in
from training.rlhf.contract import records
from training.rlhf.contract.strict import Refused, Section, Within

PROMPTS_AT_ONCE = 200
GROUP_CAP = 200
"""Prompts of one author, customer or document at most (Ouyang et al. 2022, section 3.2)."""
LIKE_TRAINING = "begins like a training prompt"


@dataclass(frozen=True, kw_only=True)
class Query(Section):
    """What is to be frozen. Empty lists: everything."""

    kind: Literal["prompts", "demonstrations", "rankings", "ratings", "responses"]
    split: Literal["train", "valid", "test"] | None = None
    """By the prompt's split; null: all three."""
    campaigns: tuple[int, ...] = ()
    """Ids: only what was submitted in these."""
    origins: tuple[Literal["labeler", "customer", "import", "simulated"], ...] = ()
    """Of the prompt."""
    simulated: Literal["exclude", "include", "only"] = "exclude"
    """What simulated labelers wrote and judged; of kind prompts and responses, what answers simulated prompts."""
    unanswered: Literal["by people", "by anybody"] | None = None
    """prompts: only those without a demonstration, or without any response at all."""
    answered_by: tuple[int, ...] = ()
    """prompts: ids of generators: only those that each of them has answered."""
    tokens_of: tuple[int, ...] = ()
    """rankings: ids of generators whose responses bring the token ids that were sampled along with the text: those
    that share the tokenizer of the model that will read them. To any other the ids would mean other words."""
    weigh: Literal["alike", "by ability"] = "alike"
    """rankings: what a labeler's judgments count beside others'; by ability: as sharply as they see what others see."""
    adjudicated: Literal["beside", "instead"] = "beside"
    """rankings: beside: what labelers said, and no adjudication, which stands beside it; instead: where a task was
    adjudicated, the newest decision in the place of all that labelers said of it."""
    cohort: int | None = None
    """rankings: id of a cohort: only what its members said while they were in it, and in no other of `among`."""
    among: tuple[int, ...] = ()
    """rankings, demonstrations: ids of the cohorts that are told apart: a row's conditions are these alone, and who was
    in two of them at once has none. Empty: all of the project for conditions; and `cohort` takes whoever was in it."""
    keys: tuple[str, ...] = ()
    """rankings, demonstrations: what each of `among` is called, in its order; empty: as its name has it now."""
    told: tuple[str, ...] = ()
    """prompts: keys of conditions, dealt by lot: each prompt carries one of them or none, each as likely."""
    judges: tuple[int, ...] = ()
    """rankings: ids of labelers: only theirs."""
    without_judges: tuple[int, ...] = ()
    """rankings: ids of labelers who are kept out, so that a model can be measured on people it never learned from."""
    judgments: Annotated[int, Within(at_least=1)] | None = None
    """rankings: at most so many labelers' rankings, drawn by `seed`; null: all."""
    limit: Annotated[int, Within(at_least=1)] | None = None
    """prompts: at most so many of those that can be used, drawn by `seed`; null: all."""
    seed: int = 0

    def check_together(self) -> None:
        if self.limit is not None and self.kind != "prompts":
            raise Refused("limit", f"is {self.limit}; expected null where kind is not prompts")
        if self.among and self.kind not in ("rankings", "demonstrations"):
            raise Refused("among", f"is {list(self.among)}; expected [] where kind is {self.kind}")
        if self.keys and len(self.keys) != len(self.among):
            raise Refused("keys", f"has {len(self.keys)}; expected one for each of the {len(self.among)} of among")
        if self.told and self.kind != "prompts":
            raise Refused("told", f"is {list(self.told)}; expected [] where kind is not prompts")
        if self.answered_by and self.kind != "prompts":
            raise Refused("answered_by", f"is {list(self.answered_by)}; expected [] where kind is not prompts")
        if self.judgments is not None and self.kind != "rankings":
            raise Refused("judgments", f"is {self.judgments}; expected null where kind is not rankings")


@dataclass
class Counts:
    """What is known of a snapshot besides its rows; filled while they are written."""

    submissions: set[int] = field(default_factory=set)
    labelers: set[str] = field(default_factory=set)
    left_out: Counter[str] = field(default_factory=Counter)
    """Reason -> number of records."""


def rows_of(project: Project, query: Query, counts: Counts) -> Iterator[records.Row]:
    """The rows in the order of their ids. Queries in batches; `counts` is complete once the rows are used up."""
    makers = {
        "prompts": _prompt_rows,
        "demonstrations": _demonstration_rows,
        "rankings": _ranking_rows,
        "ratings": _rating_rows,
        "responses": _response_rows,
    }
    return makers[query.kind](project, query, counts)


# --- what is asked for ------------------------------------------------------------------------------------------------


def prompts_asked_for(project: Project, query: Query) -> QuerySet[Prompt]:
    found = Prompt.objects.filter(
        _counts("submission"), not_returned("submission"), _of_prompt(query, ""), project=project
    )
    if query.unanswered:
        answers = Response.objects.filter(prompt=OuterRef("pk"))
        by_people = answers.filter(labeler__isnull=False, judged_only=False)
        found = found.filter(~Exists(by_people if query.unanswered == "by people" else answers))
    for generator in query.answered_by:
        found = found.filter(Exists(Response.objects.filter(prompt=OuterRef("pk"), generator=generator)))
    return found.filter(_simulated(query, Q(origin=Prompt.Origin.SIMULATED)))


def demonstrations_asked_for(project: Project, query: Query) -> QuerySet[Response]:
    """Responses that people wrote to be imitated, but for those a reviewer returned."""
    found = Response.objects.filter(
        _counts("submission"),
        _of_prompt(query, "prompt__"),
        prompt__project=project,
        labeler__isnull=False,
        judged_only=False,
    )
    if query.campaigns:
        found = found.filter(submission__assignment__campaign__in=query.campaigns)
    found = found.exclude(review_state=Response.ReviewState.RETURNED)
    return found.filter(_simulated(query, Q(labeler__source=Labeler.Source.SIMULATED)))


def demonstrations_by(project: Project, query: Query) -> QuerySet[Response]:
    """Demonstrations that a cohort's members wrote while they were in it, and in no other of `among`."""
    found = demonstrations_asked_for(project, query)
    if query.cohort is None:
        return found
    written = Coalesce("submission__submitted_at", "created_at")
    return found.annotate(written_at=written).filter(
        only_in(query.cohort, among=query.among, labeler="labeler", at="written_at")
    )


def judgments_asked_for(project: Project, query: Query, kinds: Iterable[str]) -> QuerySet[Judgment]:
    """Judgments of the submissions that count, in campaigns of these kinds."""
    found = Judgment.objects.filter(
        _of_prompt(query, "submission__assignment__task__prompt__"),
        submission__assignment__campaign__project=project,
        submission__assignment__campaign__kind__in=list(kinds),
        submission__assignment__campaign__screening_of__isnull=True,
        submission__withdrawn_at__isnull=True,
        submission__assignment__current_submission=F("submission"),
    )
    found = _of_voices(found, query)
    if query.campaigns:
        found = found.filter(submission__assignment__campaign__in=query.campaigns)
    return found.filter(_simulated(query, Q(submission__assignment__labeler__source=Labeler.Source.SIMULATED)))


def _of_voices(found: QuerySet[Judgment], query: Query) -> QuerySet[Judgment]:
    """Labelers' voices within the overlap; or where a task was adjudicated, the newest decision alone."""
    voices = Q(submission__assignment__occurrence=0, submission__counted=True)
    if query.adjudicated == "beside":
        return found.filter(voices)
    of_task = Adjudication.objects.filter(
        task=OuterRef("submission__assignment__task"), submission__withdrawn_at__isnull=True
    )
    newest = Subquery(of_task.order_by("-pk").values("submission")[:1])
    return found.alias(decision=newest).filter(Q(decision__isnull=True) & voices | Q(submission=F("decision")))


def ranks_asked_for(project: Project, query: Query) -> QuerySet[Judgment]:
    found = judgments_asked_for(project, query, [WorkKind.RANKING]).filter(rank__isnull=False)
    who = "submission__assignment__labeler"
    if query.judges:
        found = found.filter(**{f"{who}__in": query.judges})
    if query.without_judges:
        found = found.exclude(**{f"{who}__in": query.without_judges})
    if query.cohort is not None:
        at = "submission__submitted_at"
        found = found.filter(only_in(query.cohort, among=query.among, labeler=who, at=at))
    if query.judgments is not None:
        found = found.filter(submission__in=_drawn_submissions(found, query))
    return found


def _drawn_submissions(found: QuerySet[Judgment], query: Query) -> list[int]:
    """So many of the submissions, by lot (one query)."""

    def lot(submission: int) -> bytes:
        return hashlib.sha256(f"{query.seed}:{submission}".encode()).digest()

    there = found.order_by().values_list("submission_id", flat=True).distinct()
    return nsmallest(query.judgments or 0, there, key=lot)


def _counts(path: str) -> Q:
    """Came from no submission (an import, a machine), or from one that counts and is current, in no screening."""
    return Q(**{f"{path}__isnull": True}) | Q(
        **{
            f"{path}__counted": True,
            f"{path}__withdrawn_at__isnull": True,
            f"{path}__assignment__current_submission": F(path),
            f"{path}__assignment__campaign__screening_of__isnull": True,
        }
    )


def _of_prompt(query: Query, path: str) -> Q:
    wanted = Q()
    if query.split:
        wanted &= Q(**{f"{path}split": query.split})
    if query.origins:
        wanted &= Q(**{f"{path}origin__in": query.origins})
    return wanted


def _simulated(query: Query, is_simulated: Q) -> Q:
    return {"exclude": ~is_simulated, "include": Q(), "only": is_simulated}[query.simulated]


# --- rows -------------------------------------------------------------------------------------------------------------


def prompt_id(prompt: int) -> str:
    return f"p{prompt:012d}"


def response_id(response: int) -> str:
    return f"r{response:012d}"


def number_in(row_id: str) -> int:
    """The primary key in a row's id: 17 for "p000000000017". Raises ValueError for anything else."""
    return int(row_id[1:])


def _opaque(project_id: int, name: str) -> str:
    """Tells equal things from others without saying what they are."""
    return hashlib.sha256(f"{project_id}:{name}".encode()).hexdigest()[:16]


def _messages(prompt: Prompt) -> tuple[records.Message, ...]:
    return tuple(records.Message(role=turn["role"], content=turn["content"]) for turn in prompt.messages)


def _shared(prompt: Prompt) -> dict[str, Any]:
    """What every row says of its prompt."""
    return {
        "messages": _messages(prompt),
        "use_case": prompt.use_case,
        "split": prompt.split,
        "group": _opaque(prompt.project_id, f"group:{prompt.group_key}"),
    }


def _answer(response: Response, project_id: int, tokens_of: Container[int | None] = ()) -> records.Answer:
    origin = f"generator:{response.generator_id}" if response.generator_id else f"labeler:{response.labeler_id}"
    if told := told_in(response.sampling):
        origin += f" told {told}"
    token_ids = response.sampling.get("token_ids") if response.generator_id in tokens_of else None
    return records.Answer(
        id=response_id(response.pk),
        text=response.text,
        token_ids=tuple(token_ids) if token_ids else None,
        source=_opaque(project_id, origin),
    )


def _prompt_rows(project: Project, query: Query, counts: Counts) -> Iterator[records.Row]:
    for prompt in _drawn(_usable_prompts(project, query, counts), query):
        if prompt.submission_id:
            counts.submissions.add(prompt.submission_id)
        yield records.Prompt(id=prompt_id(prompt.pk), condition=_dealt(prompt, query), **_shared(prompt))


def _dealt(prompt: Prompt, query: Query) -> str | None:
    """By what the prompt says, so that it is told the same wherever it is asked, and more prompts change nothing."""
    hand = (None, *query.told)
    lot = hashlib.sha256(f"told {query.seed}:{prompt.fingerprint}".encode()).digest()
    return hand[int.from_bytes(lot[:8]) % len(hand)]


def _drawn(prompts: Iterator[Prompt], query: Query) -> Iterable[Prompt]:
    """In the order they came. A draw of more prompts with the same seed holds all of a draw of fewer."""
    if query.limit is None:
        return prompts

    def lot(prompt: Prompt) -> bytes:
        return hashlib.sha256(f"{query.seed}:{prompt.fingerprint}".encode()).digest()

    return sorted(nsmallest(query.limit, prompts, key=lot), key=lambda prompt: prompt.pk)


def _usable_prompts(project: Project, query: Query, counts: Counts) -> Iterator[Prompt]:
    learned = _learned(project, query)
    beginnings: set[str] = set()
    of_group: Counter[str] = Counter()
    for prompt in prompts_asked_for(project, query).order_by("pk").iterator(chunk_size=PROMPTS_AT_ONCE):
        its_beginning = beginning(prompt.messages)
        if its_beginning in learned:
            counts.left_out[LIKE_TRAINING] += 1
        elif its_beginning in beginnings:
            counts.left_out["near-duplicate"] += 1
        elif of_group[prompt.group_key] >= GROUP_CAP:
            counts.left_out[f"over {GROUP_CAP} of one group"] += 1
        else:
            beginnings.add(its_beginning)
            of_group[prompt.group_key] += 1
            yield prompt


def _learned(project: Project, query: Query) -> set[str]:
    """Beginnings of the training prompts, where a held-out split is asked for: what begins alike measures nothing."""
    if query.split in (None, "train"):
        return set()
    found = Prompt.objects.filter(project=project, split=Prompt.Split.TRAIN).values_list("messages", flat=True)
    return {beginning(messages) for messages in found.iterator(chunk_size=PROMPTS_AT_ONCE)}


def _demonstration_rows(project: Project, query: Query, counts: Counts) -> Iterator[records.Row]:
    found = demonstrations_asked_for(project, query).select_related("prompt", "labeler", "submission").order_by("pk")
    learned = _learned(project, query)
    conditions = Conditions.of(project, query.among, query.keys)
    for response in found.iterator(chunk_size=PROMPTS_AT_ONCE):
        assert response.labeler is not None
        if learned and beginning(response.prompt.messages) in learned:
            counts.left_out[LIKE_TRAINING] += 1
            continue
        if not response.text.strip():
            counts.left_out["empty"] += 1
            continue
        counts.labelers.add(response.labeler.pseudonym)
        if response.submission_id:
            counts.submissions.add(response.submission_id)
        yield records.Demonstration(
            id=f"d{response.pk:012d}",
            response=records.Answer(id=response_id(response.pk), text=response.text),
            labeler=response.labeler.pseudonym,
            condition=conditions.at(
                response.labeler_id, response.submission.submitted_at if response.submission else response.created_at
            ),
            **_shared(response.prompt),
        )


@dataclass(frozen=True)
class _Said:
    """A judgment with what a row needs of its submission."""

    prompt: int
    submission: int
    at: datetime
    labeler_id: int
    labeler: str
    guideline: int
    response: int
    rank: int | None
    ratings: dict[str, int]
    flags: dict[str, bool]

    FIELDS = (
        "submission__assignment__task__prompt_id", "submission_id", "submission__submitted_at",
        "submission__assignment__labeler_id", "submission__assignment__labeler__pseudonym",
        "submission__guideline__version", "response_id", "rank", "ratings", "flags",
    )  # fmt: skip


def _said_by_prompt(judgments: QuerySet[Judgment]) -> Iterator[tuple[Prompt, list[_Said], dict[int, Response]]]:
    """Each prompt with all that was said of its responses, sorted by submission and response, and (among others) those
    responses; three queries for a batch of prompts."""
    path = "submission__assignment__task__prompt_id"
    prompts = judgments.order_by(path).values_list(path, flat=True).distinct().iterator()
    for batch in _batches(prompts):
        by_id = Prompt.objects.in_bulk(batch)
        found = judgments.filter(**{f"{path}__in": batch}).order_by(path, "submission_id", "response_id")
        said = [_Said(*values) for values in found.values_list(*_Said.FIELDS)]
        texts = Response.objects.in_bulk({one.response for one in said})
        for pk, group in groupby(said, key=lambda one: one.prompt):
            yield by_id[pk], list(group), texts


def _batches(ids: Iterable[int]) -> Iterator[list[int]]:
    batch: list[int] = []
    for pk in ids:
        batch.append(pk)
        if len(batch) == PROMPTS_AT_ONCE:
            yield batch
            batch = []
    if batch:
        yield batch


def _ranking_rows(project: Project, query: Query, counts: Counts) -> Iterator[records.Row]:
    """One row a prompt, with all its ranked responses and every labeler's order of them."""
    learned, weights = _learned(project, query), _weights(project, query)
    conditions = Conditions.of(project, query.among, query.keys)
    for prompt, said, texts in _said_by_prompt(ranks_asked_for(project, query)):
        if learned and beginning(prompt.messages) in learned:
            counts.left_out[LIKE_TRAINING] += 1
            continue
        responses = sorted({one.response for one in said})
        judged = [
            _ranking_judgment(list(group), responses, conditions, weights)
            for _, group in groupby(said, key=lambda one: one.submission)
        ]  # fmt: skip
        judged = [judgment for judgment in judged if sum(rank is not None for rank in judgment.ranks) >= 2]
        if not judged:
            counts.left_out["fewer than two responses ranked"] += 1
            continue
        counts.submissions.update(one.submission for one in said)
        counts.labelers.update(judgment.labeler for judgment in judged)
        yield records.Ranking(
            id=prompt_id(prompt.pk),
            responses=tuple(_answer(texts[pk], project.pk, query.tokens_of) for pk in responses),
            judged=tuple(judged),
            **_shared(prompt),
        )


def _weights(project: Project, query: Query) -> Mapping[str, float]:
    """By pseudonym; whoever is not named counts 1."""
    if query.weigh == "alike":
        return {}
    raters = {"exclude": "people", "include": "both", "only": "simulated"}[query.simulated]
    scope = Scope(project=project, raters=raters)
    report = quality_report(scope, AgreementReport(scope, judgments_in(scope)))
    return {name: one.weight for name, one in report.abilities.items()}


def _ranking_judgment(
    said: list[_Said], responses: list[int], conditions: Conditions, weights: Mapping[str, float]
) -> records.RankingJudgment:
    """said: one submission's. Ranks are dense in the tables already; a gap is refused where the row is made."""
    ranks = {one.response: one.rank for one in said}
    return records.RankingJudgment(
        labeler=said[0].labeler,
        guideline=f"ranking {said[0].guideline}",
        ranks=tuple(ranks.get(pk) for pk in responses),
        condition=conditions.at(said[0].labeler_id, said[0].at),
        weight=weights.get(said[0].labeler, 1.0),
    )


def _rating_rows(project: Project, query: Query, counts: Counts) -> Iterator[records.Row]:
    """One row a response, with every labeler's ratings and flags. What was not answered is not there."""
    answered, conditions = ~Q(ratings={}) | ~Q(flags={}), Conditions.of(project)
    judgments = judgments_asked_for(project, query, [WorkKind.RANKING, WorkKind.RATING]).filter(answered)
    ids = judgments.order_by("response_id").values_list("response_id", flat=True).distinct().iterator()
    for batch in _batches(ids):
        found = judgments.filter(response__in=batch).order_by("response_id", "submission_id")
        texts = Response.objects.select_related("prompt").in_bulk(batch)
        said = [_Said(*values) for values in found.values_list(*_Said.FIELDS)]
        for pk, group in groupby(said, key=lambda one: one.response):
            judged = list(group)
            counts.submissions.update(one.submission for one in judged)
            counts.labelers.update(one.labeler for one in judged)
            yield records.RatingRow(
                id=response_id(pk),
                response=_answer(texts[pk], project.pk),
                judged=tuple(
                    records.RatingJudgment(
                        labeler=one.labeler,
                        condition=conditions.at(one.labeler_id, one.at),
                        ratings=one.ratings,
                        flags=one.flags,
                    )
                    for one in judged
                ),
                **_shared(texts[pk].prompt),
            )


def _response_rows(project: Project, query: Query, counts: Counts) -> Iterator[records.Row]:
    """What our models sampled; responses whose token ids are not known cannot be scored as they were sampled."""
    found = Response.objects.filter(
        _of_prompt(query, "prompt__"), prompt__project=project, generator__isnull=False
    ).filter(_simulated(query, Q(prompt__origin=Prompt.Origin.SIMULATED)))
    for response in found.select_related("generator").order_by("pk").iterator(chunk_size=PROMPTS_AT_ONCE):
        token_ids = response.sampling.get("token_ids")
        if token_ids is None:
            counts.left_out["token ids unknown"] += 1
            continue
        yield records.Response(
            id=response_id(response.pk),
            prompt=prompt_id(response.prompt_id),
            text=response.text,
            token_ids=tuple(token_ids),
            finish="stop" if response.finish_reason == "stop" else "length",
            logprob=response.sampling.get("logprob"),
            generator=f"g{response.generator_id}",
            condition=told_in(response.sampling),
        )
