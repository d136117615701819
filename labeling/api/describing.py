"""OpenAPI 3.1 of the API, made from the views: what each method takes, whom it lets in, and how it refuses."""

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema

from labeling.api.fields import Sent
from labeling.api.once import HEADER, MOST_CHARACTERS

REFUSALS = {
    "400": "The request is malformed: an unknown or odd parameter, a body that is not what the schema says.",
    "401": "No token, or one that is unknown or has ended.",
    "403": "Your role or the token's scopes do not allow it.",
    "404": "There is nothing at this address, or it is not yours.",
    "409": "The state of things does not allow it now, or the idempotency key came with another request.",
    "412": "It was changed since the answer whose ETag came with If-Match.",
    "413": "The body is larger than what is taken here.",
    "415": "The body is not JSON in UTF-8.",
    "422": "The request is well formed, and cannot be done: the message says why.",
    "429": "Too many requests within the minute; Retry-After says how long to wait.",
}
OF_READING = ("400", "401", "403", "404", "429")
ERROR = {
    "type": "object",
    "description": "Every failure: a stable code for programs, a sentence for people, its places if several.",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "message"],
            "properties": {
                "code": {"type": "string"},
                "message": {"type": "string"},
                "id": {"type": "string", "description": "Of a failure of ours: it is in the log under this id."},
                "problems": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "required": ["code", "message", "place"],
                        "properties": {name: {"type": "string"} for name in ("code", "message", "place")},
                    },
                },
            },
        }
    },
}
RATE = {
    f"RateLimit-{name}": {"schema": {"type": "string", "pattern": r"^\d+$"}, "description": says}
    for name, says in {
        "Limit": "Requests that the token may make in a minute.",
        "Remaining": "What is left of them in this minute.",
        "Reset": "Seconds until the next minute begins.",
    }.items()
}
KEY = {
    "name": HEADER,
    "in": "header",
    "description": "Makes the request happen once: a repeat with the same key and body gets the first answer.",
    "schema": {"type": "string", "pattern": r"^[!-~]+$", "minLength": 1, "maxLength": MOST_CHARACTERS},
}
IF_NONE_MATCH = {
    "name": "If-None-Match",
    "in": "header",
    "description": "The ETag of an answer that is at hand: 304 where it is still so.",
    "schema": {"type": "string"},  # any: what is no ETag of ours matches nothing, and is not refused
}
IF_MATCH = {
    "name": "If-Match",
    "in": "header",
    "description": "The ETag of the answer that this changes: 412 where it is not so any more.",
    "schema": {"type": "string"},
}
CHANGES = ("PUT", "PATCH", "DELETE")


class TokenScheme(OpenApiAuthenticationExtension):
    target_class = "labeling.api.authentication.ProjectTokenAuthentication"
    name = "token"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {
            "type": "apiKey",
            "in": "header",
            "name": "Authorization",
            "description": "`Token …`, with a token of the project's page of tokens.",
        }


class Described(AutoSchema):
    """The schema of one view."""

    def get_operation(self, *args: Any, **kwargs: Any) -> Any:
        operation = super().get_operation(*args, **kwargs)
        if operation is None:
            return None
        parameters = operation.setdefault("parameters", [])
        reads = self.method in ("GET", "HEAD")
        conditional = reads and getattr(self.view, "conditional", True)
        if conditional:
            parameters.append(IF_NONE_MATCH)
        elif not reads and getattr(self.view, "keyed", True):
            parameters.append(KEY)
        allows = getattr(self.view, "allows", {})
        guarded = self.method in CHANGES and "GET" in allows
        if guarded:
            parameters.append(IF_MATCH)
        responses = operation["responses"]
        for response in responses.values():
            response["headers"] = {**response.get("headers", {}), **RATE}
        for status in OF_READING if reads else REFUSALS:
            if status == "412" and not guarded:
                continue
            responses.setdefault(status, _refusal(status))
        if conditional:
            responses["304"] = {"description": "What is at hand is still so."}
        if (allowed := allows.get(self.method)) is not None:
            roles = ", ".join(sorted(allowed.roles))
            scope = f"the scope `{allowed.scope}`" if allowed.scope else "any scope"
            operation["description"] = f"{operation.get('description', '')}\n\nRoles: {roles}; a token of {scope}."
        return operation

    def get_tags(self) -> list[str]:
        return [getattr(self.view, "tag", "other")]

    def _map_basic_serializer(self, serializer: Any, direction: str) -> Any:
        schema = super()._map_basic_serializer(serializer, direction)
        kind = serializer if isinstance(serializer, type) else type(serializer)
        if issubclass(kind, Sent):
            schema["additionalProperties"] = False
        return schema


def _refusal(status: str) -> dict[str, Any]:
    found: dict[str, Any] = {
        "description": REFUSALS[status],
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
    }
    if status == "429":
        found["headers"] = {"Retry-After": {"schema": {"type": "string"}, "description": "Seconds to wait."}}
    return found


def with_errors(result: Any, generator: Any, request: Any, public: bool) -> Any:
    """The one shape of every failure, which all operations refer to."""
    result["components"].setdefault("schemas", {})["Error"] = ERROR
    return result
