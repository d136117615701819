"""An export as it is read: one consistent look at the database from the first row to the last.

Nothing is kept. Whoever needs to resume a download asks for a prepared file (making.py) instead.
"""

import logging
from collections.abc import Generator, Iterator
from contextlib import closing
from itertools import chain
from uuid import uuid4

from django.http import StreamingHttpResponse

from labeling.exporting.asked import Asked
from labeling.exporting.datasheet import Sheet, datasheet_of
from labeling.exporting.layouts import members_of
from labeling.exporting.reading import chunks_of, one_look
from labeling.records import time_text

log = logging.getLogger(__name__)


class Stream:
    """as_of: the time of the look, known once begun. rows: so far. datasheet: of the same look, once all is read, where
    it is asked for."""

    def __init__(self, asked: Asked, *, described: bool = False) -> None:
        self.asked = asked
        self.datasheet: Sheet = {}
        self._described = described
        self.as_of = ""
        self.rows = 0

    def __iter__(self) -> Generator[bytes, None, None]:
        asked = self.asked
        with one_look() as moment:
            self.as_of = time_text(moment)
            with closing(self._lines()) as lines:
                yield from asked.format.write(lines, members_of(asked.layout, asked.selection))
            if self._described:
                self.datasheet = datasheet_of(asked, as_of=moment, rows=self.rows)

    def _lines(self) -> Generator[bytes, None, None]:
        asked = self.asked
        for chunk in chunks_of(asked.project, asked.kind, asked.layout.name, asked.selection):
            self.rows += chunk.rows
            yield chunk.data


def streamed(asked: Asked) -> StreamingHttpResponse:
    """The first bytes are made before the answer begins, so that what fails at once is an answer too."""
    stream = Stream(asked)
    body = iter(stream)
    answer = StreamingHttpResponse(begun(body, stream), content_type=asked.format.media_type)
    answer["Content-Disposition"] = f'attachment; filename="{asked.stem}{asked.format.ending}"'
    answer["Cache-Control"] = "no-store"
    answer["Accord-As-Of"] = stream.as_of
    # Closed with the answer, whoever ends it: the look must not outlive the request.
    answer._resource_closers.append(body.close)  # type: ignore[attr-defined]
    return answer


def begun(body: Iterator[bytes], stream: Stream) -> Iterator[bytes]:
    return chain([next(body, b"")], _aloud(body, stream))


def _aloud(body: Iterator[bytes], stream: Stream) -> Iterator[bytes]:
    """The rest; where it breaks off, with an end that no reader takes for one. The web server ends the answer of an
    iterator that fails as it ends any other, and half of the rows would be taken for all."""
    try:
        yield from body
    except Exception:
        number = uuid4()
        log.exception("export %s of %s broke off after %s rows", number, stream.asked.project, stream.rows)
        words = f"broken off after {stream.rows} rows; the server's log has it as {number}"
        yield stream.asked.format.broken_off(words)
        raise
