"""Guidelines: versions of what labelers are asked to do; a published one never changes."""

from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from labeling.access import READS_DATA, RESEARCHES
from labeling.api.fields import OneOf, Sent, Shown, Text, Truth, members_of
from labeling.api.paging import Paged, page_of, page_shape
from labeling.api.resource import Allowed, Resource, found_or_404, operation
from labeling.models import Guideline, WorkKind
from labeling.publishing import (
    BODY_LIMIT,
    CHANGES_LIMIT,
    LABEL_LIMIT,
    MOST_FLAGS,
    NAME_LIMIT,
    Content,
    begin_version,
    content_of,
    delete_draft,
    publish,
    save_draft,
)
from labeling.scopes import Scope

MOST_SCALES = 20


class Flag(Sent):
    """A yes-or-no question to a response. letter: of the label; the key that answers it."""

    name = Text(most=NAME_LIMIT)
    label = Text(most=LABEL_LIMIT)  # type: ignore[assignment]
    letter = Text(most=NAME_LIMIT)


class Scale(Sent):
    """A question that is answered 1 to 7. low, high: words for the ends; steps: words for any of "1" to "7"."""

    name = Text(most=NAME_LIMIT)
    label = Text(most=LABEL_LIMIT)  # type: ignore[assignment]
    low = Text(most=LABEL_LIMIT)
    high = Text(most=LABEL_LIMIT)
    steps = serializers.DictField(child=Text(most=LABEL_LIMIT), required=False)


class FlagShown(Shown):
    name = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]
    letter = serializers.CharField(required=False)


class ScaleShown(Shown):
    name = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]
    low = serializers.CharField(required=False)
    high = serializers.CharField(required=False)
    steps = serializers.DictField(child=serializers.CharField(), required=False)


class GuidelineShown(Shown):
    """One version of the rules for one kind of work."""

    id = serializers.IntegerField()
    kind = serializers.ChoiceField(WorkKind.choices)
    version = serializers.IntegerField()
    body = serializers.CharField(help_text="Markdown.")
    changes = serializers.CharField(help_text="What is new in this version.")
    flags = FlagShown(many=True)
    scales = ScaleShown(many=True)
    published_at = serializers.DateTimeField(allow_null=True)


class GuidelineFilter(Paged):
    kind = serializers.ChoiceField(WorkKind.choices, required=False)
    published = serializers.ChoiceField(["true", "false"], required=False)


class GuidelineBegun(Sent):
    kind = OneOf(WorkKind.choices)


class GuidelineSent(Sent):
    body = Text(most=BODY_LIMIT, required=False)
    changes = Text(most=CHANGES_LIMIT, required=False)
    flags = serializers.ListField(child=Flag(), max_length=MOST_FLAGS, required=False)
    scales = serializers.ListField(child=Scale(), max_length=MOST_SCALES, required=False)


class PublishSent(Sent):
    without_flags = Truth(required=False, help_text="Meant so, where judging guidelines ask no yes-or-no question.")


GuidelinePage = page_shape("Guideline", GuidelineShown)
WRITES = Allowed(RESEARCHES, Scope.WRITE)


def guideline_shown(guideline: Guideline) -> dict[str, Any]:
    return {name: getattr(guideline, name) for name in members_of(GuidelineShown)}


class GuidelinesView(Resource):
    tag = "guidelines"
    allows = {"GET": Allowed(READS_DATA, Scope.READ), "POST": WRITES}

    @operation("All versions of all kinds.", query=GuidelineFilter, gives=GuidelinePage, name="list_guidelines")
    def get(self, request: Request, slug: str) -> Response:
        found = Guideline.objects.filter(project=self.project)
        if kind := self.query.get("kind"):
            found = found.filter(kind=kind)
        if published := self.query.get("published"):
            found = found.filter(published_at__isnull=published == "false")
        return Response(page_of(found, self.query, guideline_shown))

    @operation(
        "Begins the next version of a kind. It begins as the newest one; a draft that is there is answered with.",
        takes=GuidelineBegun,
        gives=GuidelineShown,
        status=201,
        name="begin_guideline",
    )
    def post(self, request: Request, slug: str) -> Response:
        guideline, _ = begin_version(self.project, WorkKind(self.sent(request)["kind"]))
        return Response(guideline_shown(guideline), status=201)


class GuidelineResource(Resource):
    """An address below one guideline."""

    tag = "guidelines"

    def guideline(self, guideline_id: int) -> Guideline:
        return found_or_404(Guideline.objects.filter(project=self.project), pk=guideline_id)


class GuidelineView(GuidelineResource):
    allows = {"GET": Allowed(READS_DATA, Scope.READ), "PATCH": WRITES, "DELETE": WRITES}

    @operation("One version.", gives=GuidelineShown, name="read_guideline")
    def get(self, request: Request, slug: str, guideline_id: int) -> Response:
        return Response(guideline_shown(self.guideline(guideline_id)))

    @operation("Changes a draft.", takes=GuidelineSent, gives=GuidelineShown, name="change_guideline")
    def patch(self, request: Request, slug: str, guideline_id: int) -> Response:
        guideline, said = self.guideline(guideline_id), self.sent(request)
        before = content_of(guideline)
        content = Content(**{name: said.get(name, getattr(before, name)) for name in members_of(GuidelineSent)})
        save_draft(guideline, content, seen=before.digest)
        return Response(guideline_shown(self.guideline(guideline_id)))

    @operation("Deletes a draft.", status=204, name="delete_guideline")
    def delete(self, request: Request, slug: str, guideline_id: int) -> Response:
        delete_draft(self.guideline(guideline_id))
        return Response(status=204)


class PublishView(GuidelineResource):
    allows = {"POST": WRITES}

    @operation(
        "Publishes a version: it never changes again.",
        takes=PublishSent,
        gives=GuidelineShown,
        name="publish_guideline",
    )
    def post(self, request: Request, slug: str, guideline_id: int) -> Response:
        guideline = self.guideline(guideline_id)
        publish(guideline, without_flags=self.sent(request).get("without_flags", False))
        return Response(guideline_shown(guideline))
