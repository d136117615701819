"""Work: what there is to do, a task in hand, a draft, a submission, a skip. A team can build its own labeling page.

As blind as the pages: a response is a letter and its text, in the order drawn for this assignment; no number, no name
of a model, nobody else's answer, and no mark on a task whose answer is known.
"""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from django.utils import timezone
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from labeling.access import LABELS
from labeling.api.fields import OneOf, Sent, Shown, Text, Truth, Uuid, Whole
from labeling.api.guidelines import FlagShown, ScaleShown
from labeling.api.paging import A_PAGE, Paged
from labeling.api.resource import Allowed, Resource, found_or_404, operation
from labeling.assigning import State, claim, labeler_of
from labeling.checking import LETTERS, NOTE_LIMIT, TEXT_LIMIT, Said, Work, scales_of
from labeling.errors import InvalidWork, Problem
from labeling.models import Assignment, Campaign, Labeler, Review, Submission, WorkKind
from labeling.models import Response as ResponseText
from labeling.prompt_writing import FIELDS
from labeling.reviewing import is_returned, newest_review
from labeling.scopes import Scope
from labeling.skipping import SKIP_REASONS, WRITING_SKIP_REASONS, skip, skip_reasons_of
from labeling.standing import standings_of
from labeling.submitting import DRAFT_FIELDS, DRAFT_LIMIT, Basis, keep_draft, may_correct, submit

MOST_MS = 10**12
REASONS = tuple(dict.fromkeys(reason.name for reason in SKIP_REASONS + WRITING_SKIP_REASONS))
LABELING = Allowed(LABELS, Scope.LABEL)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


class StandingShown(Shown):
    """A campaign as its labeler sees it. why: a sentence where there is nothing to do."""

    campaign = serializers.IntegerField()
    name = serializers.CharField()
    kind = serializers.ChoiceField(WorkKind.choices)
    left = serializers.IntegerField(help_text="Tasks that could still be handed to you, counted up to 99.")
    held = serializers.UUIDField(allow_null=True, help_text="Your assignment there, if a task is in your hands.")
    why = serializers.CharField()


class WorkShown(Shown):
    items = StandingShown(many=True)
    next = serializers.CharField(allow_null=True)


class TurnShown(Shown):
    role = serializers.CharField()
    content = serializers.CharField()


class PromptOfWork(Shown):
    messages = TurnShown(many=True)
    language = serializers.CharField()


class ResponseOfWork(Shown):
    """A response under the letter by which it is judged."""

    letter = serializers.CharField()
    text = serializers.CharField()


class GuidelineOfWork(Shown):
    version = serializers.IntegerField()
    body = serializers.CharField(help_text="Markdown.")
    flags = FlagShown(many=True)
    scales = ScaleShown(many=True)


class ReasonShown(Shown):
    name = serializers.CharField()
    words = serializers.CharField()


class AssignmentShown(Shown):
    """Your hold on one task. lease_token goes back with a draft, a submission and a skip: it says which hold it is."""

    uuid = serializers.UUIDField()
    campaign = serializers.IntegerField()
    kind = serializers.ChoiceField(WorkKind.choices)
    state = serializers.ChoiceField(State.choices)
    lease_token = serializers.UUIDField()
    lease_until = serializers.DateTimeField(allow_null=True)
    prompt = PromptOfWork(allow_null=True, help_text="Null where one is to be written.")
    responses = ResponseOfWork(many=True)
    guideline = GuidelineOfWork()
    required = serializers.ListField(child=serializers.CharField())  # type: ignore[assignment]
    skip_reasons = ReasonShown(many=True)
    draft = serializers.DictField(child=serializers.CharField())
    draft_saved_at = serializers.DateTimeField(allow_null=True)
    corrects = serializers.IntegerField(help_text="Of your submission that the next one would replace; 0: none yet.")
    may_submit = serializers.BooleanField()
    remarks = serializers.CharField(help_text="What a reviewer said who returned it; else empty.")


class AssignmentLine(Shown):
    uuid = serializers.UUIDField()
    campaign = serializers.IntegerField()
    state = serializers.ChoiceField(State.choices)
    created_at = serializers.DateTimeField()


class AssignmentPage(Shown):
    items = AssignmentLine(many=True)
    next = serializers.CharField(allow_null=True)


class AssignmentFilter(Paged):
    state = serializers.ChoiceField(State.choices, required=False)


class Claimed(Shown):
    """assignment: null where there is nothing for you now; why says so in a sentence."""

    assignment = AssignmentShown(allow_null=True)
    why = serializers.CharField()


class DraftSent(Sent):
    """fields: whatever is to be there again when the task is opened anew, name and text."""

    lease_token = Uuid()
    base = serializers.DateTimeField(
        required=False,
        allow_null=True,
        help_text="saved_at of the draft that this one goes on from, null for none: where another was kept since, this"
        " one is refused and that one told. Left out: it replaces whatever is there.",
    )
    fields_ = serializers.DictField(child=Text(most=DRAFT_LIMIT))

    def get_fields(self) -> Any:
        found = super().get_fields()
        return {name.removesuffix("_"): field for name, field in found.items()}


class DraftShown(Shown):
    """held: the slot is still yours."""

    saved_at = serializers.DateTimeField()
    lease_until = serializers.DateTimeField(allow_null=True)
    held = serializers.BooleanField()


class SaidSent(Sent):
    """What is said of one response; leave out what is not answered."""

    rank = Whole(low=1, high=9, required=False, allow_null=True)
    ratings = serializers.DictField(child=Whole(low=1, high=7), required=False)
    flags = serializers.DictField(child=Truth(), required=False)
    note = Text(most=NOTE_LIMIT, required=False)


class SubmissionSent(Sent):
    """key: made by the client, the same when the same submission is sent again. responses: by letter."""

    key = Uuid()
    lease_token = Uuid()
    corrects = Whole(low=0, high=10**4, required=False)
    responses = serializers.DictField(child=SaidSent(), required=False)
    verdict = OneOf(Submission.Verdict.choices, required=False)
    strength = Whole(low=0, high=2, required=False, allow_null=True)
    note = Text(most=NOTE_LIMIT, required=False)
    text = Text(most=TEXT_LIMIT, required=False)
    writing = serializers.DictField(
        child=Text(most=TEXT_LIMIT), required=False, help_text=f"Of a prompt: {', '.join(sorted(FIELDS))}."
    )
    active_ms = Whole(low=0, high=MOST_MS, required=False, allow_null=True)


class SubmissionTaken(Shown):
    """counted: within the task's overlap; if not, it is kept and credited. repeated: the key was sent before."""

    number = serializers.IntegerField()
    counted = serializers.BooleanField()
    repeated = serializers.BooleanField()


class SkipSent(Sent):
    lease_token = Uuid()
    reason = OneOf(REASONS)


def shown(assignment: Assignment) -> dict[str, Any]:
    """Needs task__prompt, campaign__guideline and current_submission (two queries at most)."""
    campaign, prompt = assignment.campaign, assignment.task.prompt
    current = assignment.current_submission
    texts = dict(ResponseText.objects.filter(pk__in=assignment.order).values_list("pk", "text"))
    submitted = assignment.state == State.SUBMITTED
    returned = newest_review(current) if submitted and current and is_returned(current) else None
    return {
        "uuid": assignment.uuid,
        "campaign": campaign.pk,
        "kind": campaign.kind,
        "state": assignment.state,
        "lease_token": assignment.lease_token,
        "lease_until": assignment.lease_until,
        "prompt": {"messages": prompt.messages, "language": prompt.language} if prompt else None,
        "responses": [
            {"letter": letter, "text": texts[pk]} for letter, pk in zip(LETTERS, assignment.order, strict=False)
        ],
        "guideline": {
            "version": campaign.guideline.version,
            "body": campaign.guideline.body,
            "flags": campaign.guideline.flags,
            "scales": scales_of(campaign.guideline) if assignment.order else [],
        },
        "required": campaign.required,
        "skip_reasons": [{"name": one.name, "words": one.words} for one in skip_reasons_of(campaign)],
        "draft": assignment.draft,
        "draft_saved_at": assignment.draft_saved_at,
        "corrects": current.number if submitted and current else 0,
        "may_submit": not submitted or may_correct(assignment, timezone.now()),
        "remarks": returned.remarks if returned and returned.state == Review.State.RETURNED else "",
    }


class LabelingResource(Resource):
    """An address of somebody who labels."""

    tag = "labeling"
    apart = True

    def labeler(self) -> Labeler:
        return labeler_of(self.membership)

    def own(self, uuid: UUID) -> Assignment:
        """Handed to the token's user; another's and an invented one are both 404."""
        found = Assignment.objects.filter(campaign__project=self.project, labeler__membership=self.membership)
        rows = found.select_related("task__prompt", "campaign__guideline", "labeler", "current_submission")
        assignment = found_or_404(rows, uuid=uuid)
        assignment.labeler.membership = self.membership
        return assignment


class WorkView(LabelingResource):
    allows = {"GET": LABELING}

    @operation(
        "The campaigns that are handed out, and what is left of them for you.", gives=WorkShown, name="list_work"
    )
    def get(self, request: Request, slug: str) -> Response:
        items = [
            {
                "campaign": one.campaign.pk,
                "name": one.campaign.name,
                "kind": one.campaign.kind,
                "left": one.left,
                "held": one.held.uuid if one.held else None,
                "why": one.why,
            }
            for one in standings_of(self.labeler())
        ]
        return Response({"items": items, "next": None})


class ClaimView(LabelingResource):
    allows = {"POST": LABELING}

    @operation(
        "Your task in a campaign: the one you hold, or the next one. Claiming twice is claiming once.",
        gives=Claimed,
        name="claim_task",
    )
    def post(self, request: Request, slug: str, campaign_id: int) -> Response:
        handed_out = Campaign.objects.filter(project=self.project, imported=False).exclude(state=Campaign.State.DRAFT)
        campaign, labeler = found_or_404(handed_out, pk=campaign_id), self.labeler()
        assignment = claim(campaign, labeler)
        if assignment is None:
            found = [one.why for one in standings_of(labeler) if one.campaign.pk == campaign.pk]
            return Response({"assignment": None, "why": next(filter(None, found), "There is nothing for you now.")})
        return Response({"assignment": shown(self.own(assignment.uuid)), "why": ""})


class AssignmentsView(LabelingResource):
    allows = {"GET": LABELING}

    @operation(
        "What was handed to you, the newest first.",
        query=AssignmentFilter,
        gives=AssignmentPage,
        name="list_assignments",
    )
    def get(self, request: Request, slug: str) -> Response:
        found = Assignment.objects.filter(campaign__project=self.project, labeler__membership=self.membership)
        if state := self.query.get("state"):
            found = found.filter(state=state)
        if cursor := self.query.get("cursor"):  # A time, for the numbers of rows are nobody's business here.
            found = found.filter(created_at__lt=EPOCH + cursor * MICROSECOND)
        limit = self.query.get("limit", A_PAGE)
        rows = list(found.order_by("-created_at")[: limit + 1])
        items = [
            {"uuid": a.uuid, "campaign": a.campaign_id, "state": a.state, "created_at": a.created_at} for a in rows
        ]
        more = str((rows[limit - 1].created_at - EPOCH) // MICROSECOND) if len(rows) > limit else None
        return Response({"items": items[:limit], "next": more})


class AssignmentView(LabelingResource):
    allows = {"GET": LABELING}

    @operation("A task in your hands.", gives=AssignmentShown, name="read_assignment")
    def get(self, request: Request, slug: str, uuid: UUID) -> Response:
        return Response(shown(self.own(uuid)))


class DraftView(LabelingResource):
    allows = {"PUT": LABELING}

    @operation(
        f"Keeps what is typed, and the task for you: {DRAFT_FIELDS} fields of {DRAFT_LIMIT:,} characters together.",
        takes=DraftSent,
        gives=DraftShown,
        name="keep_draft",
    )
    def put(self, request: Request, slug: str, uuid: UUID) -> Response:
        assignment, said = self.own(uuid), self.sent(request)
        basis = Basis(said["base"]) if "base" in said else None
        kept = keep_draft(assignment, said["fields"], lease_token=said["lease_token"], basis=basis)
        return Response({"saved_at": kept.saved_at, "lease_until": kept.lease_until, "held": kept.held})


class SubmitView(LabelingResource):
    allows = {"POST": LABELING}

    @operation(
        "Submits the work, or a correction of it. The same key sent again answers with the first result.",
        takes=SubmissionSent,
        gives=SubmissionTaken,
        name="submit_work",
    )
    def post(self, request: Request, slug: str, uuid: UUID) -> Response:
        assignment, said = self.own(uuid), self.sent(request)
        work = Work(
            responses={letter: Said(**one) for letter, one in said.get("responses", {}).items()},
            verdict=said.get("verdict", ""),
            strength=said.get("strength"),
            note=said.get("note", ""),
            text=said.get("text", ""),
            writing=_writing(said.get("writing", {})),
            active_ms=said.get("active_ms"),
        )
        outcome = submit(
            assignment, work, key=said["key"], lease_token=said["lease_token"], corrects=said.get("corrects", 0)
        )
        taken = outcome.submission
        return Response({"number": taken.number, "counted": taken.counted, "repeated": outcome.repeated})


def _writing(said: dict[str, str]) -> dict[str, str]:
    if odd := sorted(set(said) - FIELDS):
        says = f"{odd[0][:40]!r} is no part of a prompt; expected some of {', '.join(sorted(FIELDS))}."
        raise InvalidWork([Problem("unknown_field", says, f"writing.{odd[0][:40]}")])
    return said


class SkipView(LabelingResource):
    allows = {"POST": LABELING}

    @operation(
        "Gives the task back, with a reason; what was typed is kept.", takes=SkipSent, status=204, name="skip_task"
    )
    def post(self, request: Request, slug: str, uuid: UUID) -> Response:
        assignment, said = self.own(uuid), self.sent(request)
        reasons = {reason.name: reason for reason in skip_reasons_of(assignment.campaign)}
        if said["reason"] not in reasons:
            says = f"The reason is {said['reason']!r}; here it is one of {', '.join(reasons)}."
            raise InvalidWork([Problem("unknown_reason", says, "reason")])
        skip(assignment, reasons[said["reason"]], lease_token=said["lease_token"])
        return Response(status=204)
