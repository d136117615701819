"""Prompts: looked through, and brought in by the thousand; customers send theirs with the consent they gave."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from labeling.access import READS_DATA
from labeling.api.fields import Sent, Shown, Text, Truth, members_of
from labeling.api.paging import Paged, page_of, page_shape
from labeling.api.reading import MOST_BULK_BYTES
from labeling.api.resource import Allowed, Resource, found_or_404, operation
from labeling.bulk_intake import CREATED, MERGED, MOST_LINES, REFUSED, Taken, take_customer_prompts, take_prompts
from labeling.models import Prompt, Role
from labeling.scopes import Scope

LINE = "A line is answered at its place: created, merged with what is there, or refused with the reason."


class Message(Shown):
    role = serializers.ChoiceField(["system", "user", "assistant"])
    content = serializers.CharField()


class PromptShown(Shown):
    """A chat that waits for a response."""

    id = serializers.IntegerField()
    external_id = serializers.CharField(help_text="The id it came in with, or empty.")
    messages = Message(many=True)
    use_case = serializers.ChoiceField(Prompt.UseCase.choices)
    style = serializers.ChoiceField(Prompt.Style.choices)  # type: ignore[assignment]
    origin = serializers.ChoiceField(Prompt.Origin.choices)
    group_key = serializers.CharField(help_text="Author, customer, tree or document: the split is by it.")
    consent = serializers.CharField()
    language = serializers.CharField()
    split = serializers.ChoiceField(Prompt.Split.choices)
    personal_data = serializers.ListField(child=serializers.CharField(), help_text="What the text seems to hold.")
    created_at = serializers.DateTimeField()


class PromptFilter(Paged):
    split = serializers.ChoiceField(Prompt.Split.choices, required=False)
    use_case = serializers.ChoiceField(Prompt.UseCase.choices, required=False)
    style = serializers.ChoiceField(Prompt.Style.choices, required=False)  # type: ignore[assignment]
    origin = serializers.ChoiceField(Prompt.Origin.choices, required=False)
    language = Text(most=20, required=False)
    group_key = Text(most=200, required=False)
    external_id = Text(most=200, required=False)


@extend_schema_field({"type": "object", "additionalProperties": True, "example": {
    "id": "ticket-17", "messages": [{"role": "user", "content": "How do I return a parcel?"}], "use_case": "open_qa",
}})  # fmt: skip
class PromptLine(serializers.JSONField):
    """A line: an object with the members of a prompt record."""

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, dict):
            raise serializers.ValidationError("Expected an object in braces.", code="not_an_object")
        return data


class PromptsSent(Sent):
    """Prompts with the members of prompt records (docs/records.md), the id being optional."""

    prompts = serializers.ListField(child=PromptLine(), min_length=1, max_length=MOST_LINES)
    whole = Truth(required=False, help_text="All or nothing: one refused line keeps the others out.")


class LineAnswered(Shown):
    """What became of one line."""

    outcome = serializers.ChoiceField([CREATED, MERGED, REFUSED])
    id = serializers.IntegerField(allow_null=True)
    message = serializers.CharField(help_text="Why it was refused; else empty.")


class LinesAnswered(Shown):
    """What became of each line, in their order."""

    written = serializers.BooleanField(help_text="False where one refused line kept all of them out.")
    created = serializers.IntegerField()
    merged = serializers.IntegerField(help_text="Were there already.")
    refused = serializers.IntegerField()
    lines = LineAnswered(many=True)


PromptPage = page_shape("Prompt", PromptShown)


def prompt_shown(prompt: Prompt) -> dict[str, Any]:
    return {name: getattr(prompt, name) for name in members_of(PromptShown)}


def lines_answered(taken: Taken, *, told: bool = True) -> dict[str, Any]:
    """told: whether the sender may know what is in the project; else what was there looks as if it were new."""
    created, merged = taken.count(CREATED), taken.count(MERGED)
    return {
        "written": taken.written,
        "created": created if told else created + merged,
        "merged": merged if told else 0,
        "refused": taken.count(REFUSED),
        "lines": [
            {
                "outcome": line.outcome if told or line.outcome == REFUSED else CREATED,
                "id": line.id if told else None,
                "message": line.message,
            }
            for line in taken.lines
        ],
    }


class PromptsView(Resource):
    tag = "prompts"
    most_bytes = MOST_BULK_BYTES
    allows = {
        "GET": Allowed(READS_DATA, Scope.READ),
        "POST": Allowed(READS_DATA | {Role.CUSTOMER}, Scope.WRITE),
    }

    @operation(
        "The project's prompts, in the order in which they came.",
        query=PromptFilter,
        gives=PromptPage,
        name="list_prompts",
    )
    def get(self, request: Request, slug: str) -> Response:
        names = {name: value for name, value in self.query.items() if name not in ("cursor", "limit")}
        return Response(page_of(Prompt.objects.filter(project=self.project, **names), self.query, prompt_shown))

    @operation(
        f"Brings in up to {MOST_LINES:,} prompts. {LINE} A customer's come with a consent, and tell nothing of what "
        "others sent.",
        takes=PromptsSent,
        gives=LinesAnswered,
        name="create_prompts",
    )
    def post(self, request: Request, slug: str) -> Response:
        said = self.sent(request)
        whole = said.get("whole", False)
        if self.membership.role == Role.CUSTOMER:
            taken = take_customer_prompts(self.project, said["prompts"], customer=self.membership.user_id, whole=whole)
            return Response(lines_answered(taken, told=False))
        return Response(lines_answered(take_prompts(self.project, said["prompts"], whole=whole)))


class PromptView(Resource):
    tag = "prompts"
    allows = {"GET": Allowed(READS_DATA, Scope.READ)}

    @operation("One prompt.", gives=PromptShown, name="read_prompt")
    def get(self, request: Request, slug: str, prompt_id: int) -> Response:
        return Response(prompt_shown(found_or_404(Prompt.objects.filter(project=self.project), pk=prompt_id)))
