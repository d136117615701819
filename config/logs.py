"""Lines of the log as JSON, for production: what happened, where, and in which request or job; no words of labelers.

An exception's own words may hold what somebody wrote (a failing row of PostgreSQL, a value in a ValueError). So they
are left out, but for the few classes whose words are the machine's own, and for PostgreSQL the code of the error and
the names of table and constraint stand in their place. An address may hold a token: the name of the route is logged.
"""

import logging
import traceback
from datetime import UTC, datetime
from types import TracebackType
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.db import Error as DatabaseError
from django.http import HttpRequest
from kombu.exceptions import OperationalError
from pythonjsonlogger.json import JsonFormatter
from redis import RedisError

from labeling.traces import JOB_ID, REQUEST_ID

OF_THE_MACHINE = (OSError, RedisError, OperationalError, ImproperlyConfigured)
"""Classes whose words name hosts, files and settings, and nothing that a labeler wrote."""
ExceptionInfo = tuple[type[BaseException], BaseException, TracebackType | None]


class Lines(JsonFormatter):
    """One JSON object a record: time, level, logger, message; request_id and job_id where there is one."""

    def __init__(self) -> None:
        super().__init__("%(message)s", json_ensure_ascii=False)

    def process_log_record(self, log_record: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in log_record.items() if value not in (None, "")}

    def add_fields(self, log_data: dict[str, Any], record: logging.LogRecord, message_dict: dict[str, Any]) -> None:
        request = getattr(record, "request", None)
        log_data |= {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": _without_address(record, request),
            "request_id": REQUEST_ID.get() or getattr(request, "request_id", ""),
            "job_id": JOB_ID.get(),
            **getattr(record, "told", {}),
        }
        if record.exc_info and record.exc_info[1] is not None:
            log_data["exception"] = described(record.exc_info[1])

    def formatException(self, ei: Any) -> str:
        return ""


def _without_address(record: logging.LogRecord, request: Any) -> str:
    """Django puts the path into what it says of a request; the arguments of a record may be exceptions."""
    if isinstance(request, HttpRequest):
        return f"{getattr(record, 'status_code', '')} at {route_of(request)}".strip()
    given = record.args
    if isinstance(given, tuple) and any(isinstance(one, BaseException) for one in given):
        return record.msg % tuple(words_of(one) if isinstance(one, BaseException) else one for one in given)
    return record.getMessage()


def route_of(request: HttpRequest) -> str:
    """The name of the address; "unknown" for one that does not exist, so that strangers make no new names."""
    match = request.resolver_match
    return (match.view_name or "unnamed") if match is not None else "unknown"


def words_of(error: BaseException) -> str:
    """The class, and of its words what cannot have been written by a labeler."""
    name = f"{type(error).__module__}.{type(error).__qualname__}".removeprefix("builtins.")
    if isinstance(error, OF_THE_MACHINE):
        return f"{name}: {error}"
    if isinstance(error, DatabaseError):
        told = getattr(error.__cause__, "diag", None)
        found = [getattr(told, part, None) for part in ("sqlstate", "table_name", "constraint_name")]
        if any(found):
            return f"{name}: {' '.join(one for one in found if one)}"
        if getattr(error.__cause__, "sqlstate", "") is None:
            return f"{name}: {error}"  # Of the connection: no server has read anything yet.
    return name


def described(error: BaseException) -> dict[str, Any]:
    """The class, where it happened (innermost last), and what it came of."""
    frames = [f"{one.filename}:{one.lineno} {one.name}" for one in traceback.extract_tb(error.__traceback__)]
    told: dict[str, Any] = {"what": words_of(error), "where": frames}
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if cause is not None:
        told["because"] = words_of(cause)
    return told
