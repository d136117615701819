"""What the API has, to be read in a browser: made on the server from the same schema that programs read."""

from dataclasses import dataclass
from functools import cache
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe
from drf_spectacular.generators import SchemaGenerator

Schema = dict[str, Any]


@dataclass(frozen=True)
class Member:
    """One member of a body, or a parameter. kind: "text, at most 60 characters"."""

    name: str
    kind: str
    says: str
    required: bool


@dataclass(frozen=True)
class Operation:
    """One method of one address."""

    name: str
    method: str
    path: str
    summary: str
    says: str
    parameters: list[Member]
    takes: list[Member]
    status: str
    gives: list[Member]


@require_safe
@login_required
def reference(request: HttpRequest) -> HttpResponse:
    return render(request, "reference.html", {"rooms": rooms(), "base": request.build_absolute_uri("/").rstrip("/")})


@cache
def rooms() -> list[tuple[str, list[Operation]]]:
    """By tag, in the order of the addresses; made once a process, for it changes with the program alone."""
    schema = SchemaGenerator().get_schema(request=None, public=True)
    found: dict[str, list[Operation]] = {}
    for path, methods in schema["paths"].items():
        for method, said in methods.items():
            found.setdefault(said["tags"][0], []).append(_operation(schema, path, method, said))
    return list(found.items())


def _operation(schema: Schema, path: str, method: str, said: Schema) -> Operation:
    body = said.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    status = next(code for code in said["responses"] if code.startswith("2"))
    answer = said["responses"][status].get("content", {}).get("application/json", {}).get("schema", {})
    return Operation(
        name=said["operationId"],
        method=method.upper(),
        path=path,
        summary=said.get("summary", ""),
        says=said.get("description", "").strip(),
        parameters=[
            Member(one["name"], _kind(schema, one["schema"]), one.get("description", ""), one.get("required", False))
            for one in said.get("parameters", [])
            if one["in"] == "query"
        ],
        takes=_members(schema, body),
        status=status,
        gives=_members(schema, answer),
    )


def _members(schema: Schema, shape: Schema) -> list[Member]:
    whole = _resolved(schema, shape)
    required = whole.get("required", [])
    return [
        Member(name, _kind(schema, one), _resolved(schema, one).get("description", ""), name in required)
        for name, one in whole.get("properties", {}).items()
    ]


def _resolved(schema: Schema, shape: Schema) -> Schema:
    """What a reference leads to."""
    several = shape.get("oneOf") or shape.get("allOf") or shape.get("anyOf") or []
    inner = next((one for one in several if "$ref" in one), shape)
    if "$ref" not in inner:
        return shape
    found: Schema = schema["components"]["schemas"][inner["$ref"].rpartition("/")[2]]
    return {**found, **{name: value for name, value in shape.items() if name == "description"}}


def _kind(schema: Schema, shape: Schema) -> str:
    """In words: "list of text", "whole number from 1 to 9, or null"."""
    whole = _resolved(schema, shape)
    given = whole.get("type", "object")
    kinds = [one for one in (given if isinstance(given, list) else [given]) if one != "null"]
    null = ", or null" if "null" in given or any(one.get("type") == "null" for one in shape.get("oneOf", [])) else ""
    if "enum" in whole:
        return "one of " + ", ".join(str(one) for one in whole["enum"] if one is not None) + null
    if kinds == ["array"]:
        return f"list of {_kind(schema, whole.get('items', {}))}{null}"
    names = {"string": "text", "integer": "whole number", "number": "number", "boolean": "true or false"}
    words = whole.get("format") if whole.get("format") in ("uuid", "date-time") else ""
    kind = words or " or ".join(names.get(one, "object") for one in kinds)
    return f"{kind}{_bounds(whole)}{null}"


def _bounds(shape: Schema) -> str:
    if "maxLength" in shape:
        return f", at most {shape['maxLength']:,} characters"
    low, high = shape.get("minimum"), shape.get("maximum")
    return f" from {low:,} to {high:,}" if low is not None and high is not None and high < 10**12 else ""
