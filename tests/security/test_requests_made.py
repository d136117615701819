"""Addresses that people give, for the server to ask: nothing inside is reached, end to end."""

import re
from typing import Any
from urllib.parse import urlsplit

import pytest
from pytest_django.fixtures import Settings

from labeling import outbound
from labeling.models import Delivery, Import, Project, ProjectToken, Role, User, Webhook
from labeling.scopes import scopes_for
from labeling.sending import deliver_due
from labeling.transferring import run_waiting
from labeling.webhooks import new_secret
from tests.security.receiving import LOOPBACK, receiving, say
from tests.security.served import Attacker, Served

pytestmark = [pytest.mark.postgres, pytest.mark.redis, pytest.mark.threat(3)]
API = "/api/v1/projects/helpdesk/"
INSIDE = (
    "http://127.0.0.1:{port}/hook",
    "http://127.1:{port}/hook",
    "http://2130706433:{port}/hook",
    "http://0x7f000001:{port}/hook",
    "http://0177.0.0.1:{port}/hook",
    "http://0:{port}/hook",
    "http://[::1]:{port}/hook",
    "http://[::ffff:127.0.0.1]:{port}/hook",
    "http://[::ffff:7f00:1]:{port}/hook",
    "http://localhost:{port}/hook",
    "http://LOCALHOST.:{port}/hook",
    "http://evil@127.0.0.1:{port}/hook",
    "http://169.254.169.254/latest/meta-data/",
    "http://[fd00:ec2::254]/latest/",
    "file:///etc/passwd",
    "gopher://127.0.0.1:{port}/_SET",
    "//127.0.0.1:{port}/hook",
)


@pytest.fixture(autouse=True)
def _no_bell(settings: Settings, served: Served) -> None:
    """Work is done here, in the folders of the server."""
    settings.REDIS_URL = ""
    settings.IMPORTS_DIR = served.environment["ACCORD_IMPORTS_DIR"]


@pytest.fixture
def api(served: Served, project: Project, owner: User) -> Attacker:
    return served.with_token(ProjectToken.make(user=owner, project=project, scopes=scopes_for(Role.OWNER)))


@pytest.mark.parametrize("address", INSIDE)
def test_no_spelling_of_an_address_inside_is_asked(api: Attacker, address: str) -> None:
    with receiving(200) as received:
        url = address.format(port=urlsplit(received.url).port)
        hook = api.send("POST", f"{API}webhooks", {"url": url, "events": ["campaign.completed"]})
        if hook.status == 201:  # A name is looked up when it is asked.
            api.send("POST", f"{API}webhooks/{hook.json()['id']}/ping", {})
            deliver_due()
            assert re.search("not asked|not known", Delivery.objects.get().outcome)
        else:
            assert hook.code == "address_refused"
        brought = api.send("POST", f"{API}imports/from", {"url": url, "source": "trl"})
        if brought.status == 202:
            run_waiting()
            assert re.search("not asked|not known", Import.objects.get().error)
        else:
            assert brought.code == "address_refused"
        assert received.requests == []


def test_what_was_saved_before_the_address_was_closed_is_vetted_when_it_is_asked(
    api: Attacker, project: Project
) -> None:
    with receiving(200) as received:
        hook = Webhook.objects.create(
            project=project, url=received.url, secret=new_secret(), events=["campaign.completed"]
        )
        api.send("POST", f"{API}webhooks/{hook.pk}/ping", {})
        deliver_due()
        assert received.requests == []


def test_a_name_that_leads_inside_at_its_second_look_up_is_looked_up_once(
    api: Attacker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rebinding: the first answer is an address of the internet, every later one is this machine's."""
    answers = [["93.184.216.34"], ["127.0.0.1"]]

    def getaddrinfo(host: str, port: int, **more: Any) -> Any:
        return [(2, 1, 6, "", (one, port)) for one in (answers.pop(0) if len(answers) > 1 else answers[0])]

    def create_connection(address: Any, **more: Any) -> Any:
        reached.append(address[0])
        raise ConnectionRefusedError

    reached: list[str] = []
    made = api.send("POST", f"{API}imports/from", {"url": "http://rebinding.example.org/x.jsonl", "source": "trl"})
    assert made.status == 202
    monkeypatch.setattr(outbound.socket, "getaddrinfo", getaddrinfo)
    monkeypatch.setattr(outbound.socket, "create_connection", create_connection)
    run_waiting()
    monkeypatch.undo()
    assert reached == ["93.184.216.34"]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(api: Attacker, settings: Settings, status: int) -> None:
    settings.OUTBOUND_NETWORKS = LOOPBACK
    with receiving(200) as inside, receiving(lambda handler: say(handler, status, Location=inside.url)) as outside:
        # By a name: the server vets numbers when it is told, and there this network is closed.
        url = outside.url.replace("127.0.0.1", "localhost")
        assert api.send("POST", f"{API}imports/from", {"url": url, "source": "trl"}).status == 202
        run_waiting()
        assert len(outside.requests) == 1
        assert inside.requests == []
    assert "redirect" in Import.objects.get().error


def test_an_answer_without_end_is_cut(api: Attacker, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    from labeling import importing_files

    settings.OUTBOUND_NETWORKS = LOOPBACK
    monkeypatch.setattr(importing_files, "MOST_BYTES", 1_000_000)

    def pour(handler: Any) -> None:
        handler.send_response(200)
        handler.end_headers()
        for _ in range(100):
            handler.wfile.write(b"x" * 100_000)

    with receiving(pour) as received:
        url = received.url.replace("127.0.0.1", "localhost")
        api.send("POST", f"{API}imports/from", {"url": url, "source": "trl"})
        run_waiting()
    assert "1,000,000 bytes" in Import.objects.get().error
