"""The body of a request: JSON by the strict reading of record lines, of bounded size."""

from collections.abc import Mapping
from typing import Any

from rest_framework.exceptions import UnsupportedMediaType
from rest_framework.parsers import BaseParser
from rest_framework.request import Request

from labeling.errors import Refusal, TooLarge
from labeling.record_fields import BadRecord
from labeling.record_lines import parse_json

MOST_BYTES = 2 * 1024 * 1024
MOST_BULK_BYTES = 64 * 1024 * 1024
"""10,000 prompts of 6,000 characters; a process holds some four times as much while it reads them."""


class MalformedBody(Refusal):
    """A body that is no JSON, or JSON that no reader of ours takes: names twice, NaN, too deep, not UTF-8."""

    code = "malformed_body"


class StrictJSONParser(BaseParser):
    """Keeps the bytes as request._request.raw_body, by which a repeat of the request is known."""

    media_type = "application/json"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Mapping[str, Any] | None = None) -> Any:
        context = parser_context or {}
        request: Request = context["request"]
        refuse_other_encodings(request)
        most: int = getattr(context.get("view"), "most_bytes", MOST_BYTES)
        length = int(request.META.get("CONTENT_LENGTH") or 0)
        if length > most:
            raise TooLarge(f"The body has {length:,} bytes; at most {most:,} are taken here.")
        raw = stream.read(length)
        request._request.raw_body = raw  # type: ignore[attr-defined]
        try:
            return parse_json(raw)
        except BadRecord as wrong:
            raise MalformedBody(f"The body cannot be read: {wrong}.") from None


def refuse_other_encodings(request: Request) -> None:
    """Raises UnsupportedMediaType where the body is packed, or in other letters than UTF-8."""
    packed = request.META.get("HTTP_CONTENT_ENCODING", "identity").lower()
    said = str(request.content_type or "").lower()
    _, _, charset = said.partition("charset=")
    if packed != "identity":
        raise UnsupportedMediaType(packed[:40], "The body is packed; send it as it is.")
    if charset and charset.split(";")[0].strip(" \"'") not in ("utf-8", "utf8"):
        raise UnsupportedMediaType(said[:80], f"The body is {charset[:40]}; send it as UTF-8.")
