"""Lines of the log in production: JSON, with ids, and without a word that a labeler wrote."""

import io
import json
import logging
from collections.abc import Iterator
from ipaddress import ip_network
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import path
from pytest_django import Settings

from config.logs import Lines
from config.proxies import PEER
from config.urls import urlpatterns as site_patterns
from labeling.models import Project, Prompt
from labeling.traces import at_job

SECRET = "what the labeler wrote of their grandmother"


def breaks(request: HttpRequest, token: str) -> HttpResponse:
    raise ValueError(f"ratings are {request.POST.get('text')!r}")


def refused_by_the_database(request: HttpRequest) -> HttpResponse:
    with transaction.atomic():
        project = Project.objects.get()
        Prompt.objects.create(project=project, messages=[{"content": SECRET}], group_key="", split="train", origin="x")
    return HttpResponse()


urlpatterns = [
    path("breaks/<str:token>", breaks, name="breaks"),
    path("refused", refused_by_the_database, name="refused"),
    *site_patterns,
]


@pytest.fixture
def lines() -> Iterator[list[dict[str, Any]]]:
    """What is logged meanwhile, as it would be written."""
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(Lines())
    root, requests = logging.getLogger(), logging.getLogger("accord.requests")
    before = requests.level
    root.addHandler(handler)
    requests.setLevel(logging.INFO)
    found: list[dict[str, Any]] = []

    class Read(list[dict[str, Any]]):
        def __iter__(self) -> Iterator[dict[str, Any]]:
            return iter([json.loads(line) for line in written.getvalue().splitlines()])

        def __str__(self) -> str:
            return written.getvalue()

    found = Read()
    yield found
    root.removeHandler(handler)
    requests.setLevel(before)


@pytest.fixture
def visitor(settings: Settings) -> Client:
    settings.ROOT_URLCONF = __name__
    return Client(raise_request_exception=False)


def test_a_failure_is_found_by_the_id_of_its_answer(visitor: Client, lines: list[dict[str, Any]], db: Any) -> None:
    answer = visitor.post("/breaks/secret-token", {"text": SECRET})
    assert answer.status_code == 500
    of_it = [line for line in lines if line["request_id"] == answer["X-Request-ID"]]
    [failure] = [line for line in of_it if "exception" in line]
    assert failure["exception"]["what"] == "ValueError"
    assert failure["exception"]["where"][-1].endswith(" breaks")
    [account] = [line for line in of_it if line["logger"] == "accord.requests"]
    assert (account["route"], account["status"], account["method"]) == ("breaks", 500, "POST")


def test_no_text_and_no_token_of_an_address_is_logged(visitor: Client, lines: list[dict[str, Any]], db: Any) -> None:
    visitor.post("/breaks/secret-token", {"text": SECRET})
    visitor.get("/no/such/secret-token")
    assert len(list(lines)) >= 4
    assert "grandmother" not in str(lines)
    assert "secret-token" not in str(lines)


@pytest.mark.postgres
def test_a_row_that_the_database_refuses_is_not_logged(
    visitor: Client, lines: list[dict[str, Any]], project: Project
) -> None:
    visitor.get("/refused")
    [failure] = [line for line in lines if "exception" in line]
    assert failure["exception"]["what"].startswith("django.db.utils.IntegrityError: 23514 labeling_prompt prompt_")
    assert "grandmother" not in str(lines)


def test_an_exception_among_the_words_of_a_line_says_its_class_alone(lines: list[dict[str, Any]]) -> None:
    logging.getLogger("accord.test").warning("job %s: %s", 7, ValueError(SECRET))
    logging.getLogger("accord.test").warning("%s", ImproperlyConfigured("REDIS_URL is empty"))
    assert [line["message"] for line in lines] == [
        "job 7: ValueError", "django.core.exceptions.ImproperlyConfigured: REDIS_URL is empty",
    ]  # fmt: skip


def test_an_integrity_error_without_a_server_says_its_class_alone(lines: list[dict[str, Any]]) -> None:
    logging.getLogger("accord.test").warning("%s", IntegrityError(SECRET))
    assert "grandmother" not in str(lines)


def test_lines_of_a_job_carry_its_id(lines: list[dict[str, Any]]) -> None:
    with at_job(41):
        logging.getLogger("training.launching").warning("it stopped")
    logging.getLogger("training.launching").warning("and nothing else")
    assert [line.get("job_id") for line in lines] == [41, None]


def test_a_proxy_s_id_is_taken_over_and_anybody_else_s_is_not(client: Client, settings: Settings) -> None:
    given = {"X-Request-ID": "from-the-proxy-1"}
    assert client.get("/health/live", headers=given)["X-Request-ID"] != "from-the-proxy-1"
    settings.PROXIES = [ip_network("10.2.0.0/16")]
    by = {PEER: "10.2.0.7"}
    assert client.get("/health/live", headers=given, **by)["X-Request-ID"] == "from-the-proxy-1"
    assert client.get("/health/live", headers=given, **{PEER: "10.3.0.7"})["X-Request-ID"] != "from-the-proxy-1"
    assert client.get("/health/live", headers={"X-Request-ID": "a b\x7f"}, **by)["X-Request-ID"] != "a b\x7f"
