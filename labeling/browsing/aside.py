"""Texts that labelers wrote and that are no part of the data: marked in the lists, and narrowed by."""

from typing import Any

from django.db.models import Case, CharField, F, Q, Value, When

from labeling.datasets import counted
from labeling.reviewing import not_returned

STANDING = (("", "any"), ("stands", "part of the data"), ("aside", "set aside"))


def stands(path: str = "submission") -> Q:
    """What goes into tasks, snapshots and exports: from no submission, or from one that counts and was not returned."""
    return counted(path) & not_returned(path)


def why_aside(path: str = "submission") -> Case:
    """In a word why the text from the submission at this path is set aside; empty where it is not."""
    current = Q(**{f"{path}__assignment__current_submission": F(path)})
    found: Any = Case(
        When(**{f"{path}__isnull": True}, then=Value("")),
        When(**{f"{path}__withdrawn_at__isnull": False}, then=Value("withdrawn")),
        When(~current, then=Value("replaced")),
        When(**{f"{path}__counted": False}, then=Value("surplus")),
        When(~not_returned(path), then=Value("returned")),
        default=Value(""),
        output_field=CharField(),
    )
    return found
