"""A file in parts: what was fetched once need not be fetched again (RFC 9110, section 14)."""

import re
from collections.abc import Iterator
from pathlib import Path

from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse

PIECE_BYTES = 256 * 1024


def file_answer(request: HttpRequest, path: Path, *, name: str, media_type: str, sha256: str) -> HttpResponseBase:
    """The whole file, or the one range that is asked for; the ETag is the file's sha256.

    206 for a range, 416 for one that the file does not reach, 304 for a file that is there already. A range of another
    version (If-Range) and more than one range answer with the whole.
    """
    size, etag = path.stat().st_size, f'"{sha256}"'
    known = [one.strip() for one in request.headers.get("If-None-Match", "").split(",")]
    if etag in known:
        return _with(HttpResponse(status=304), etag=etag)
    wanted = request.headers.get("Range", "")
    if request.headers.get("If-Range", etag) != etag:
        wanted = ""
    span = _span(wanted, size)
    if span is None:
        answer = HttpResponse(status=416)
        answer["Content-Range"] = f"bytes */{size}"
        return _with(answer, etag=etag)
    first, after = span
    partial = (first, after) != (0, size) or bool(wanted and _RANGE.fullmatch(wanted.strip()))
    body = StreamingHttpResponse(_pieces(path, first, after), status=206 if partial else 200, content_type=media_type)
    body["Content-Length"] = str(after - first)
    if partial:
        body["Content-Range"] = f"bytes {first}-{after - 1}/{size}"
    body["Content-Disposition"] = f'attachment; filename="{name}"'
    body["Accord-SHA256"] = sha256
    return _with(body, etag=etag)


def _with(answer: HttpResponseBase, *, etag: str) -> HttpResponseBase:
    answer["ETag"] = etag
    answer["Accept-Ranges"] = "bytes"
    answer["Cache-Control"] = "private, no-cache"
    return answer


_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", flags=re.ASCII)


def _span(wanted: str, size: int) -> tuple[int, int] | None:
    """(first, one past the last), the whole file where no one range is asked for; None where it reaches nothing."""
    found = _RANGE.fullmatch(wanted.strip())
    if not found or found.group(1) == found.group(2) == "":
        return 0, size
    first, last = found.groups()
    if not first:  # the last so many bytes
        begin, after = max(0, size - int(last)), size
    else:
        begin, after = int(first), min(size, int(last) + 1) if last else size
    return (begin, after) if begin < after else None


def _pieces(path: Path, first: int, after: int) -> Iterator[bytes]:
    with path.open("rb") as file:
        file.seek(first)
        left = after - first
        while left > 0 and (piece := file.read(min(PIECE_BYTES, left))):
            left -= len(piece)
            yield piece
