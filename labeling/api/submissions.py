"""Submissions: what labelers said, under their pseudonyms, for whoever may pull the project's data.

In a campaign that is kept for a cohort filled by background answers nobody has a pseudonym: it would tell who is in it.
"""

from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from labeling.access import READS_DATA
from labeling.api.fields import Shown, TruthParameter, WholeParameter
from labeling.api.paging import Paged, page_of, page_shape
from labeling.api.resource import Allowed, Resource, found_or_404, operation
from labeling.models import Labeler, Submission
from labeling.scopes import Scope


class JudgmentShown(Shown):
    """What was said of one response; what was not answered is absent."""

    response = serializers.IntegerField()
    rank = serializers.IntegerField(allow_null=True)
    ratings = serializers.DictField(child=serializers.IntegerField(allow_null=True))
    flags = serializers.DictField(child=serializers.BooleanField(allow_null=True))
    note = serializers.CharField()


class SubmissionShown(Shown):
    """One submitted piece of work; a correction is the next number of the same task by the same labeler."""

    id = serializers.IntegerField()
    task = serializers.IntegerField()
    campaign = serializers.IntegerField()
    labeler = serializers.CharField(
        allow_null=True,
        help_text="Pseudonym; null in a campaign that is kept for a cohort filled by background answers.",
    )
    simulated = serializers.BooleanField()
    number = serializers.IntegerField()
    current = serializers.BooleanField(help_text="Not corrected since.")
    counted = serializers.BooleanField()
    verdict = serializers.CharField()
    strength = serializers.IntegerField(allow_null=True)
    note = serializers.CharField()
    order = serializers.ListField(child=serializers.IntegerField(), help_text="The responses as this labeler met them.")
    judgments = JudgmentShown(many=True)
    written = serializers.ListField(
        child=serializers.CharField(), help_text="The demonstration or prompt, if one was written."
    )
    active_ms = serializers.IntegerField(allow_null=True)
    guideline = serializers.IntegerField()
    submitted_at = serializers.DateTimeField()
    withdrawn_at = serializers.DateTimeField(allow_null=True)


class SubmissionFilter(Paged):
    campaign = WholeParameter()
    task = WholeParameter()
    counted = TruthParameter(required=False, help_text="Within the task's overlap, or surplus.")


SubmissionPage = page_shape("Submission", SubmissionShown)
READS = Allowed(READS_DATA, Scope.READ)


def submission_shown(submission: Submission) -> dict[str, Any]:
    """Needs assignment__labeler and assignment__campaign__cohort; judgments, responses and prompts prefetched."""
    assignment = submission.assignment
    return {
        "id": submission.pk,
        "task": assignment.task_id,
        "campaign": assignment.campaign_id,
        "labeler": None if assignment.campaign.kept_by_rule else assignment.labeler.pseudonym,
        "simulated": assignment.labeler.source == Labeler.Source.SIMULATED,
        "number": submission.number,
        "current": assignment.current_submission_id == submission.pk,
        "counted": submission.counted,
        "verdict": submission.verdict,
        "strength": submission.strength,
        "note": submission.note,
        "order": assignment.order,
        "judgments": [
            {
                "response": one.response_id,
                "rank": one.rank,
                "ratings": one.ratings,
                "flags": one.flags,
                "note": one.note,
            }
            for one in submission.judgments.all()
        ],
        "written": [one.text for one in submission.responses.all()]
        + [one.last_turn for one in submission.prompts.all()],
        "active_ms": submission.active_ms,
        "guideline": submission.guideline_id,
        "submitted_at": submission.submitted_at,
        "withdrawn_at": submission.withdrawn_at,
    }


class SubmissionResource(Resource):
    tag = "submissions"

    def submissions(self) -> Any:
        found = Submission.objects.filter(assignment__campaign__project=self.project)
        return found.select_related("assignment__labeler", "assignment__campaign__cohort").prefetch_related(
            "judgments", "responses", "prompts"
        )


class SubmissionsView(SubmissionResource):
    allows = {"GET": READS}

    @operation(
        "What labelers submitted, in the order in which it came.",
        query=SubmissionFilter,
        gives=SubmissionPage,
        name="list_submissions",
    )
    def get(self, request: Request, slug: str) -> Response:
        found = self.submissions()
        for name in ("campaign", "task"):
            if name in self.query:
                found = found.filter(**{f"assignment__{name}_id": self.query[name]})
        if "counted" in self.query:
            found = found.filter(counted=self.query["counted"])
        return Response(page_of(found, self.query, submission_shown))


class SubmissionView(SubmissionResource):
    allows = {"GET": READS}

    @operation("One submission.", gives=SubmissionShown, name="read_submission")
    def get(self, request: Request, slug: str, submission_id: int) -> Response:
        return Response(submission_shown(found_or_404(self.submissions(), pk=submission_id)))
