"""Files and bodies made to break what reads them: refused with a sentence, and nothing half written."""

import gzip
import json
import time
import zlib
from typing import Any
from urllib.parse import quote

import pytest
from django.utils import timezone
from pytest_django.fixtures import Settings

from labeling.models import (
    Generator,
    Import,
    Membership,
    Project,
    ProjectToken,
    Prompt,
    Response,
    Role,
    Submission,
    User,
)
from labeling.scopes import scopes_for
from labeling.transferring import run_waiting
from tests.labeling.work import make_campaign, make_labeler, make_prompt, must_claim, ranked, submit_now
from tests.security.served import Attacker, Served

pytestmark = [pytest.mark.postgres, pytest.mark.redis, pytest.mark.threat(15)]
API = "/api/v1/projects/helpdesk/"
MB = 1024 * 1024
FORMULAS = ("=cmd|' /C calc'!A0", "+1+1", "-2+3", "@SUM(1)", "\t=1", "\r=1", " =1+1", '=HYPERLINK("http://evil","x")')


@pytest.fixture(autouse=True)
def _work_is_done_here(settings: Settings, served: Served) -> None:
    settings.REDIS_URL = ""
    settings.IMPORTS_DIR = served.environment["ACCORD_IMPORTS_DIR"]


@pytest.fixture
def api(served: Served, project: Project, owner: User) -> Attacker:
    return served.with_token(ProjectToken.make(user=owner, project=project, scopes=scopes_for(Role.OWNER)))


def bring(api: Attacker, body: bytes, query: str = "?source=trl") -> Import:
    """By the API, to the end."""
    more = {"Content-Type": "application/octet-stream"}
    answer = api.ask("POST", f"{API}imports{query}", body, more)
    assert answer.status == 202, answer.text
    run_waiting()
    return Import.objects.get(uuid=answer.json()["id"])


def zeros(many_bytes: int) -> bytes:
    """Lines of nothing, gigabytes of them in a few megabytes, packed without making them."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    piece = (b" " * 1023 + b"\n") * 1024
    return b"".join([*(packer.compress(piece) for _ in range(many_bytes // len(piece))), packer.flush()])


@pytest.mark.parametrize("layers", [1, 2])
def test_a_file_that_unpacks_to_gigabytes_is_left_at_a_hundred_times(api: Attacker, layers: int) -> None:
    bomb = zeros(200 * MB)
    assert len(bomb) < MB
    for _ in range(layers - 1):
        bomb = gzip.compress(bomb)
    began = time.monotonic()
    found = bring(api, bomb)
    assert time.monotonic() - began < 20
    assert found.state == "failed"
    assert ("unpacks to more than" in found.error) == (layers == 1)
    assert not Prompt.objects.exists()


@pytest.mark.parametrize(
    "body",
    [
        b"PK\x03\x04" + b"\0" * 60,
        b"\x1f\x8b" + b"\0" * 60,
        b"\x28\xb5\x2f\xfd" + b"\xff" * 60,
        b"\x7fELF" + b"\0" * 60,
        b"\x80\x04\x95\x1e\0\0\0\0\0\0\0\x8c\x02os\x8c\x06system\x93\x8c\x02id\x85R.",
        b'{"prompt": "' + b"x" * 50 * MB + b'"}\n',
        b'{"prompt": ' + b"[" * 100_000 + b"]" * 100_000 + b"}\n",
        b'{"prompt": "a\\u0000b"}\n',
        b'{"prompt": "a\0b"}\n',
        b'{"prompt": "\xff\xfe"}\n',
        b'{"prompt": "\\ud800"}\n',
        b'{"prompt": "One", "prompt": "Two"}\n',
        b'{"prompt": NaN}\n',
        b'{"prompt": 1e999}\n',
        b'{"prompt": ' + b"9" * 5000 + b"}\n",
        b'"just words"\n',
    ],
    ids=["zip", "gzip", "zstd", "program", "pickle", "50 MB", "deep", "NUL", "raw NUL", "no UTF-8", "half a pair",
         "twice", "NaN", "infinite", "5,000 digits", "no object"],
)  # fmt: skip
def test_a_hostile_file_is_refused_in_words_and_nothing_of_it_stays(api: Attacker, body: bytes) -> None:
    found = bring(api, body)
    assert found.state == "failed"
    assert found.error or found.report["reasons"]
    told = f"{found.error} {found.report}"
    assert "Traceback" not in told
    assert len(told) < 5_000
    assert not Prompt.objects.exists()
    assert not found.path


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b'{"prompts": [{"messages": [{"role": "user", "content": "' + b"x" * 50 * MB + b'"}]}]}', (200, 413)),
        (b" " * 65 * MB, (413,)),
        (b"[" * 200_000 + b"]" * 200_000, (400,)),
        (b'{"prompts": ' + b'{"a":' * 50_000 + b"1" + b"}" * 50_000 + b"}", (400,)),
        (b'{"prompts": [{"messages": [{"role": "user", "content": "a\\u0000b"}]}]}', (200,)),
        (b"\xff\xfe{}", (400,)),
        (b"{}\0", (400,)),
        (b'{"prompts": [1e400]}', (400, 422)),
        (b'{"prompts": [' + b"9" * 10_000 + b"]}", (400, 422)),
        (b'{"prompts": [], "prompts": []}', (400,)),
        (b"", (400,)),
    ],
    ids=["50 MB", "65 MB", "deep lists", "deep objects", "NUL", "no UTF-8", "more behind", "infinite", "digits",
         "twice", "empty"],
)  # fmt: skip
def test_a_hostile_body_is_answered_in_words(api: Attacker, body: bytes, status: tuple[int, ...]) -> None:
    answer = api.ask("POST", f"{API}prompts", body, {"Content-Type": "application/json"})
    assert answer.status in status, answer.text[:300]
    if answer.status == 200:
        assert answer.json()["refused"] == 1
    else:
        assert answer.json()["error"]["message"]
    assert not Prompt.objects.exists()


def test_a_body_that_is_packed_is_not_unpacked(api: Attacker) -> None:
    more = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    assert api.ask("POST", f"{API}prompts", zeros(100 * MB), more).status == 415


def test_a_body_that_is_longer_or_shorter_than_it_says_is_bounded(api: Attacker) -> None:
    more = {"Content-Type": "application/json", "Content-Length": str(10**12)}
    answer = api.ask("POST", f"{API}cohorts", b"", more | {"Content-Length": "-5"})
    assert 400 <= answer.status < 500


@pytest.mark.parametrize("path", ["projects/%00/", "prompts?external_id=%00", "prompts?cursor=%ff", "prompts?limit=1e9",
                                  "prompts?cursor=" + "9" * 400, "records/prompts?campaign=%00", "%c0/"])  # fmt: skip
def test_an_odd_address_is_a_wrong_address(api: Attacker, path: str) -> None:
    assert api.get(f"{API}{path}").status in (400, 404)


@pytest.mark.parametrize(
    "text", ["a\0b", "x" * 3 * MB, "\ud800", "a" * 20_001], ids=["NUL", "3 MB", "half a pair", "too long"]
)
def test_a_form_with_such_a_text_comes_back_with_a_sentence(
    served: Served, project: Project, labeler: User, text: str
) -> None:
    campaign = make_campaign(project, kind="demonstration")
    from labeling.assigning import labeler_of

    mine = must_claim(campaign, labeler_of(Membership.objects.get(user=labeler)))
    page = f"/projects/helpdesk/tasks/{mine.uuid}/"
    visitor = served.signed_in(labeler)
    secret = visitor.secret_of(page)
    held = f"key=11111111-2222-4333-8444-555555555555&lease_token={mine.lease_token}&corrects=0"
    body = f"csrfmiddlewaretoken={secret}&{held}&text=".encode() + quote(text.encode("utf-8", "surrogatepass")).encode()
    more = {"Content-Type": "application/x-www-form-urlencoded", "Referer": f"https://accord.example.org{page}"}
    answer = visitor.ask("POST", page, body, more)
    if text == "\ud800":  # no UTF-8, so a browser cannot send it: it is taken as what it is read as
        assert answer.status in (302, 422)
        assert all(response.text.isprintable() for response in Response.objects.all())
        return
    assert answer.status in (413, 422)
    assert not Submission.objects.exists()


def test_a_form_of_thousands_of_fields_is_refused(served: Served, project: Project, labeler: User) -> None:
    visitor = served.signed_in(labeler)
    fields = {f"field{number}": "x" for number in range(1_500)}
    assert visitor.post("/projects/helpdesk/leave/", fields).status == 400
    assert Membership.objects.filter(user=labeler).exists()


@pytest.mark.parametrize("formula", FORMULAS)
def test_no_cell_of_a_csv_is_a_formula(api: Attacker, project: Project, formula: str) -> None:
    campaign = make_campaign(project, tasks=0, shown=2)
    prompt = make_prompt(project, formula)
    generator = Generator.objects.create(project=project, name="=1+1", kind="external")
    from labeling.opening import make_tasks

    texts = [prompt.responses.create(generator=generator, text=f"{formula} {number}") for number in range(2)]
    make_tasks(campaign, [(prompt, texts)])
    submit_now(must_claim(campaign, make_labeler(project, "ada")), ranked(1, 2))
    for kind, layout in (("prompts", ""), ("comparisons", "&layout=preference"), ("candidates", "&layout=table")):
        answer = api.get(f"{API}records/{kind}?format=csv{layout}")
        if answer.status == 400:
            continue
        assert answer.status == 200, answer.text
        import csv
        import io

        cells = [cell for row in csv.reader(io.StringIO(answer.text, newline="")) for cell in row]
        assert len(cells) > 4
        assert [cell for cell in cells if cell.lstrip(" ").startswith(("=", "+", "-", "@", "\t", "\r"))] == []


def test_pay_is_a_csv_without_formulas_and_names_with_overrides_are_refused(
    served: Served, project: Project, owner: User
) -> None:
    worker = make_labeler(project, "=cmd|calc")
    assert worker.user is not None
    worker.user.first_name, worker.user.email = "@SUM(1+1)", "=a@example.org"
    worker.user.save()
    submit_now(must_claim(make_campaign(project), worker), ranked(1, 2, 3, 4))
    day = timezone.localdate().isoformat()
    answer = served.signed_in(owner).get(f"/projects/helpdesk/people/pay.csv?from={day}&to={day}")
    assert answer.status == 200
    assert "SUM" in answer.text or "cmd" in answer.text
    for line in answer.text.splitlines():
        assert not [cell for cell in line.split(",") if cell.strip('" ').startswith(("=", "+", "@"))]
    visitor = served.signed_in(owner)
    for name in ("Help\u202edesk", "Help\u2066desk", "Help\ndesk", "\u200b", "x" * 500):
        visitor.post("/projects/helpdesk/settings/", {"name": name})
        project.refresh_from_db()
        assert project.name == "Helpdesk"


def test_an_override_in_a_text_is_shown_as_what_it_is(served: Served, project: Project, owner: User) -> None:
    prompt = make_prompt(project, "Pay \u202e0001\u202c crowns \u202d to me")
    text = served.signed_in(owner).get(f"/projects/helpdesk/prompts/{prompt.pk}/").text
    assert "\u202e" not in text
    assert "\u202d" not in text
    assert "[U+202E]" in text


def test_what_a_hostile_line_says_of_itself_changes_nothing_else(api: Attacker, project: Project) -> None:
    """Members that name rows of others, roles that are none, ids that are there."""
    other = Project.objects.create(name="Elsewhere", slug="elsewhere")
    theirs = make_prompt(other, "Theirs")
    lines: list[dict[str, Any]] = [
        {"kind": "prompt", "id": "x", "messages": [{"role": "root", "content": "x"}]},
        {"kind": "prompt", "id": "y", "messages": [{"role": "user", "content": "x"}], "project": "elsewhere"},
        {"kind": "prompt", "pk": theirs.pk, "messages": [{"role": "user", "content": "Mine"}]},
        {"kind": "demonstration", "id": "z", "prompt": {"id": theirs.pk}, "response": {"text": "x"}},
    ]
    found = bring(api, "\n".join(json.dumps(line) for line in lines).encode(), "?source=records")
    assert found.state == "failed"
    assert found.report["refused"] == len(lines)
    theirs.refresh_from_db()
    assert theirs.last_turn == "Theirs"
    assert Prompt.objects.count() == 1
