"""Sends the API what its own schema allows and forbids (schemathesis), as one role; says what was answered wrong."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import cycle
from typing import Any
from uuid import UUID

import schemathesis
from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis.config import SchemathesisConfig
from schemathesis.core.failures import FailureGroup
from schemathesis.generation import GenerationMode

from config.wsgi import application
from tests.api.filled import Filled

CONFIG = {
    # NUL is refused everywhere, as the patterns say; the generator would spend most of its cases on it.
    "generation": {"allow-x00": False, "mode": "all"},
    "checks": {
        # What is well formed may still be refused by the state of the project, with 409 or 422 and the reason.
        "positive_data_acceptance": {"expected-statuses": ["2xx", "304", "401", "403", "404", "409", "412", "422"]},
        "negative_data_rejection": {"expected-statuses": ["4xx"]},
    },
}


@contextmanager
def _one_connection() -> Iterator[None]:
    """A served request closes the connection when it ends; here it holds the test's transaction."""
    signals = (request_started, request_finished)
    for signal in signals:
        signal.disconnect(close_old_connections)
    try:
        yield
    finally:
        for signal in signals:
            signal.connect(close_old_connections)


def probe(filled: Filled, role: str, *, cases: int, turn: int, seed: int) -> tuple[int, list[str]]:
    """How many cases were sent, at least so many, and every failure in words. The same seed sends the same cases.

    turn: where in the list of operations it begins, so that a few cases a role together reach them all.
    """
    with _one_connection():
        config = SchemathesisConfig.from_dict(CONFIG)
        schema = schemathesis.openapi.from_wsgi("/api/v1/schema", application, config=config)
        token = filled.api(role).token
        operations = [result.ok() for result in schema.get_all_operations()]
        rows = {name: str(value) if isinstance(value, UUID) else value for name, value in filled.rows.items()}
        places = {"slug": filled.project.slug, **rows}
        each = cases // (2 * len(operations)) + 1
        wanted = [operations[(turn + number) % len(operations)] for number in range(-(-cases // (2 * each)))]
        sent, failures = 0, []
        for operation in wanted:
            for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
                number, wrong = _probe_one(operation, mode, places, token, each=each, seed_=seed)
                sent += number
                failures += wrong
    return sent, failures


def _probe_one(
    operation: Any, mode: GenerationMode, places: dict[str, Any], token: str, *, each: int, seed_: int
) -> tuple[int, list[str]]:
    """Cases of one operation. In every other one the row that the path names is there."""
    found: list[str] = []
    sent = 0
    odd = cycle((False, True))

    @seed(seed_)
    @settings(
        max_examples=each,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def ask(case: Any) -> None:
        nonlocal sent
        sent += 1
        if mode is GenerationMode.POSITIVE and not next(odd):
            for name in case.path_parameters or {}:
                if name in places:
                    case.path_parameters[name] = places[name]
        try:
            case.call_and_validate(headers={"Authorization": f"Token {token}"})
        except FailureGroup as wrong:
            sent_was = case.as_curl_command()[:600]
            found.extend(f"{operation.label}: {failure}\n{sent_was}" for failure in wrong.exceptions)

    ask()
    return sent, found
