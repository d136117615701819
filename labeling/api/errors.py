"""Every failure of the API in one shape: {"error": {"code": …, "message": …, "problems": […]}}.

code is stable and for programs, message is a sentence for people, problems name the places where there are several.
Exceptions that nobody foresaw answer with an id; what happened stands under that id in the log, not in the answer.
"""

import logging
from typing import Any
from uuid import uuid4

from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404, HttpRequest, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import exception_handler, set_rollback

from labeling.errors import Refusal

log = logging.getLogger(__name__)

NOT_FOUND = "There is nothing at this address, or it is not yours."


class InvalidQuery(Refusal):
    """A parameter of the address that is not known here, given twice, or has no such value."""

    code = "invalid_query"


class ScopeMissing(Refusal):
    """The token was made for other things."""

    code = "scope_missing"
    status = 403


MALFORMED = ("invalid_query", "malformed_body")
"""Codes of what no schema allows. Other refusals of status 400 are of what is well formed and cannot be done: 422."""


def answer(error: Exception, context: dict[str, Any]) -> Response:
    """The answer to an exception raised in a view of the API (REST_FRAMEWORK's EXCEPTION_HANDLER)."""
    if isinstance(error, Refusal):
        set_rollback()
        status = 422 if error.status == 400 and error.code not in MALFORMED else error.status
        return Response({"error": error.as_json()}, status=status)
    if isinstance(error, ValidationError):
        set_rollback()
        return Response({"error": _of_model(error)}, status=422)
    standard = exception_handler(error, context)
    if standard is None:
        return _unforeseen(error)
    standard.data = {"error": _described(error)}
    return standard


def _described(error: Exception) -> dict[str, Any]:
    if isinstance(error, Http404 | exceptions.NotFound):
        return {"code": "not_found", "message": NOT_FOUND}
    if isinstance(error, PermissionDenied):
        return {"code": "permission_denied", "message": str(error) or "Your role does not allow this."}
    assert isinstance(error, exceptions.APIException)
    if isinstance(error, exceptions.Throttled):
        return {
            "code": "throttled",
            "message": f"{error.detail} Wait {getattr(error, 'wait', None) or 60:.0f} seconds.",
        }
    if isinstance(error, exceptions.ValidationError):
        problems = _problems(error.get_full_details())
        return {"code": "invalid", "message": problems[0]["message"], "problems": problems}
    return {"code": str(error.get_codes()), "message": str(error.detail)}


def _of_model(error: ValidationError) -> dict[str, Any]:
    """What the checks of a model refuse, in the same shape."""
    by_field = error.message_dict if hasattr(error, "error_dict") else {"": error.messages}
    problems = [
        {"code": "invalid_setting", "message": message, "place": "" if name == "__all__" else name}
        for name, messages in by_field.items()
        for message in messages
    ]
    return {"code": "invalid_setting", "message": problems[0]["message"], "problems": problems}


def _problems(details: Any, place: str = "") -> list[dict[str, str]]:
    """A serializer's nested details as a flat list, each with the path of its field."""
    if isinstance(details, dict) and set(details) == {"message", "code"}:
        return [{"code": str(details["code"]), "message": str(details["message"]), "place": place}]
    parts = details.items() if isinstance(details, dict) else enumerate(details)
    inner = place if isinstance(details, dict) else ""
    return [
        problem
        for name, part in parts
        for problem in _problems(part, f"{inner}.{name}" if inner else name if isinstance(name, str) else place)
    ]


def _unforeseen(error: Exception) -> Response:
    set_rollback()
    number = uuid4().hex
    log.error("error %s in the API", number, exc_info=error)
    message = f"Something went wrong here; it is in the log as {number}."
    return Response({"error": {"code": "internal_error", "message": message, "id": number}}, status=500)


@csrf_exempt
def unknown_address(request: HttpRequest, *args: object, **kwargs: object) -> JsonResponse:
    """The answer at every address below /api/ that nothing else answers."""
    return JsonResponse({"error": {"code": "not_found", "message": NOT_FOUND}}, status=404)
