"""Responses, and the generators that wrote those which no person wrote."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response as Answer

from labeling.access import READS_DATA
from labeling.api.fields import Sent, Shown, Truth, TruthParameter, WholeParameter
from labeling.api.paging import Paged, page_of, page_shape
from labeling.api.prompts import LINE, LinesAnswered, PromptLine, lines_answered
from labeling.api.reading import MOST_BULK_BYTES
from labeling.api.resource import Allowed, Resource, found_or_404, operation
from labeling.bulk_intake import MOST_LINES, take_responses
from labeling.models import Generator, Response
from labeling.scopes import Scope


class GeneratorShown(Shown):
    """Whatever writes responses that no person wrote. Labelers never see its name."""

    id = serializers.IntegerField()
    name = serializers.CharField()
    kind = serializers.ChoiceField(Generator.Kind.choices)
    created_at = serializers.DateTimeField()


class ResponseShown(Shown):
    """A text in reply to a prompt, by a generator or by a person (under a pseudonym)."""

    id = serializers.IntegerField()
    external_id = serializers.CharField()
    prompt = serializers.IntegerField()
    text = serializers.CharField()
    generator = serializers.CharField(allow_null=True)
    labeler = serializers.CharField(allow_null=True)
    token_count = serializers.IntegerField(allow_null=True)
    finish_reason = serializers.CharField()
    review_state = serializers.ChoiceField(Response.ReviewState.choices)
    created_at = serializers.DateTimeField()


class ResponseFilter(Paged):
    prompt = WholeParameter(help_text="Those that answer this prompt.")
    generator = WholeParameter(help_text="Those that this generator wrote.")
    demonstrations = TruthParameter(required=False, help_text="Written by people to be imitated, or all others.")


@extend_schema_field({"type": "object", "additionalProperties": True, "example": {
    "prompt": "ticket-17", "text": "Put it in its box …", "generator": "my-model", "id": "ticket-17-a",
}})  # fmt: skip
class ResponseLine(PromptLine):
    """A line: an object with the members of a response in records, and the prompt that it answers."""


class ResponsesSent(Sent):
    """Responses of generators: prompt is the number of a prompt here, or the id it came in with."""

    responses = serializers.ListField(child=ResponseLine(), min_length=1, max_length=MOST_LINES)
    whole = Truth(required=False, help_text="All or nothing: one refused line keeps the others out.")


ResponsePage = page_shape("Response", ResponseShown)
GeneratorPage = page_shape("Generator", GeneratorShown)


def response_shown(response: Response) -> dict[str, Any]:
    return {
        "id": response.pk,
        "external_id": response.external_id,
        "prompt": response.prompt_id,
        "text": response.text,
        "generator": response.generator.name if response.generator else None,
        "labeler": response.labeler.pseudonym if response.labeler else None,
        "token_count": response.token_count,
        "finish_reason": response.finish_reason,
        "review_state": response.review_state,
        "created_at": response.created_at,
    }


class ResponsesView(Resource):
    tag = "responses"
    most_bytes = MOST_BULK_BYTES
    allows = {"GET": Allowed(READS_DATA, Scope.READ), "POST": Allowed(READS_DATA, Scope.WRITE)}

    @operation("The project's responses.", query=ResponseFilter, gives=ResponsePage, name="list_responses")
    def get(self, request: Request, slug: str) -> Answer:
        found = Response.objects.filter(prompt__project=self.project).select_related("generator", "labeler")
        for name in ("prompt", "generator"):
            if name in self.query:
                found = found.filter(**{f"{name}_id": self.query[name]})
        if "demonstrations" in self.query:
            written = {"labeler__isnull": False, "judged_only": False}
            found = found.filter(**written) if self.query["demonstrations"] else found.exclude(**written)
        return Answer(page_of(found, self.query, response_shown))

    @operation(
        f"Brings in up to {MOST_LINES:,} responses of generators. {LINE}",
        takes=ResponsesSent,
        gives=LinesAnswered,
        name="create_responses",
    )
    def post(self, request: Request, slug: str) -> Answer:
        said = self.sent(request)
        taken = take_responses(self.project, said["responses"], whole=said.get("whole", False))
        return Answer(lines_answered(taken))


class ResponseView(Resource):
    tag = "responses"
    allows = {"GET": Allowed(READS_DATA, Scope.READ)}

    @operation("One response.", gives=ResponseShown, name="read_response")
    def get(self, request: Request, slug: str, response_id: int) -> Answer:
        found = Response.objects.filter(prompt__project=self.project).select_related("generator", "labeler")
        return Answer(response_shown(found_or_404(found, pk=response_id)))


class GeneratorsView(Resource):
    tag = "responses"
    allows = {"GET": Allowed(READS_DATA, Scope.READ)}

    @operation(
        "Whatever wrote responses that no person wrote.", query=Paged, gives=GeneratorPage, name="list_generators"
    )
    def get(self, request: Request, slug: str) -> Answer:
        found = Generator.objects.filter(project=self.project)
        return Answer(page_of(found, self.query, lambda one: GeneratorShown(one).data))
