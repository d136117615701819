"""The console's pages of webhooks, and the reference of the API."""

import pytest
from django.test import Client

from labeling.models import Delivery, Project, User, Webhook
from labeling.webhooks import OFFERED, make_webhook, ping
from tests.conftest import signed_in

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]

PAGE = "/projects/helpdesk/webhooks/"


@pytest.fixture
def webhook(project: Project, owner: User) -> Webhook:
    return make_webhook(project, url="https://hooks.example.org/a", events=OFFERED, by=owner)


def test_a_webhook_is_added_and_its_secret_shown_only_then(researcher: User) -> None:
    client = signed_in(researcher)
    answer = client.post(PAGE, {"url": "https://hooks.example.org/a", "event": ["alarm"]})
    secret = Webhook.objects.get().secret
    assert secret in answer.content.decode()
    assert secret not in client.get(PAGE).content.decode()
    assert secret not in client.get(f"{PAGE}{Webhook.objects.get().pk}/").content.decode()


@pytest.mark.parametrize("url", ["http://127.0.0.1/", "http://0x7f.1/", "ftp://example.org/", ""])
def test_an_address_inside_is_refused_and_comes_back_as_typed(researcher: User, url: str) -> None:
    answer = signed_in(researcher).post(PAGE, {"url": url, "event": ["alarm"]})
    assert answer.status_code == 422
    assert f'value="{url}"' in answer.content.decode()
    assert not Webhook.objects.exists()


def test_it_is_tried_paused_given_another_secret_and_deleted(researcher: User, webhook: Webhook) -> None:
    client, page = signed_in(researcher), f"{PAGE}{webhook.pk}/"
    client.post(page, {"act": "ping"})
    assert Delivery.objects.get().event == "ping"
    assert "not tried yet" in client.get(page).content.decode()
    client.post(page, {"act": "save", "url": webhook.url, "event": ["alarm"]})
    webhook.refresh_from_db()
    assert (webhook.active, webhook.events) == (False, ["alarm"])
    before = webhook.secret
    assert before not in client.post(page, {"act": "secret"}).content.decode()
    assert client.post(page, {"act": "delete"}).url == PAGE
    assert not Webhook.objects.exists()


def test_a_message_that_was_given_up_is_sent_anew(researcher: User, webhook: Webhook) -> None:
    delivery = ping(webhook)
    Delivery.objects.update(state="given_up", next_try_at=None, attempts=10)
    signed_in(researcher).post(f"{PAGE}{webhook.pk}/deliveries/{delivery.pk}/replay")
    delivery.refresh_from_db()
    assert (delivery.state, delivery.attempts) == ("waiting", 0)


def test_labelers_and_strangers_see_no_webhooks(labeler: User, stranger: User, webhook: Webhook) -> None:
    delivery = ping(webhook)
    for user, status in ((labeler, 403), (stranger, 404)):
        client = signed_in(user)
        for address in (PAGE, f"{PAGE}{webhook.pk}/"):
            assert client.get(address).status_code == status
            assert client.post(address).status_code == status
        assert client.post(f"{PAGE}{webhook.pk}/deliveries/{delivery.pk}/replay").status_code == status


def test_the_reference_says_what_the_api_has_to_whoever_is_signed_in(labeler: User) -> None:
    assert Client().get("/reference/").status_code == 302
    html = signed_in(labeler).get("/reference/").content.decode()
    for words in ("/api/v1/projects/{slug}/prompts", "create_prompts", "list of object", "true or false"):
        assert words in html
    assert "<script>" not in html
    assert "style=" not in html
