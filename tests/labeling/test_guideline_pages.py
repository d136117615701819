"""A researcher writes, compares and publishes guidelines in the console; nobody else comes near it."""

import re
from typing import Any

import pytest
from django.test import Client

from labeling.guidelines import guideline_for
from labeling.models import Guideline, Project, User, WorkKind
from labeling.publishing import begin_version
from tests.conftest import signed_in
from tests.labeling.work import make_campaign

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]

LIST = "/projects/helpdesk/guidelines/"


@pytest.fixture
def client(researcher: User) -> Client:
    return signed_in(researcher)


@pytest.fixture
def draft(project: Project) -> Guideline:
    guideline_for(project, WorkKind.RANKING)
    return begin_version(project, WorkKind.RANKING)[0]


def fields_of(client: Client, draft: Guideline) -> dict[str, str]:
    """The editor's form as a browser would send it back unchanged."""
    context: Any = client.get(f"{LIST}{draft.pk}/edit/").context
    fields = {"seen": context["seen"], "body": draft.body, "changes": draft.changes}
    for row in context["flag_rows"]:
        fields |= {f"flag-{row.number}-{part}": getattr(row, part) for part in ("label", "letter", "name")}
    for row in context["scale_rows"]:
        fields |= {f"scale-{row.name}-{part}": getattr(row, part) for part in ("label", "low", "high")}
        fields |= {f"scale-{row.name}-asked": "yes"} if row.asked else {}
    return fields


def text(answer: Any) -> str:
    return str(answer.content.decode())


def paths(guideline: Guideline) -> list[str]:
    one = f"{LIST}{guideline.pk}/"
    return [LIST, *(f"{one}{page}/" for page in ("version", "edit", "publish", "delete", f"since/{guideline.pk}"))]


def test_a_stranger_finds_no_page_and_a_labeler_may_not_open_one(
    draft: Guideline, stranger: User, labeler: User
) -> None:
    for path in paths(draft):
        assert signed_in(stranger).get(path).status_code == 404
        assert signed_in(labeler).get(path).status_code == 403


def test_a_guideline_of_another_project_is_not_there(draft: Guideline, stranger: User) -> None:
    for path in paths(draft)[1:]:
        assert signed_in(stranger).get(path.replace("helpdesk", "elsewhere")).status_code == 404


def test_the_list_says_what_is_in_force_and_what_waits(client: Client, draft: Guideline) -> None:
    html = text(client.get(LIST))
    said = " ".join(re.sub(r"<[^>]+>", "", html).split())
    assert "One kind of work has a guideline in force; one draft waits to be published." in said
    assert "Go on with draft 2" in html
    first = Guideline.objects.get(version=1)
    assert f"{LIST}{draft.pk}/since/{first.pk}/" in html
    assert html.count("/since/") == 1


def test_the_next_version_is_begun_by_a_button(client: Client, project: Project) -> None:
    guideline_for(project, WorkKind.RATING)
    answer = client.post(LIST, {"kind": "rating"})
    made = Guideline.objects.get(version=2)
    assert answer.url == f"{LIST}{made.pk}/edit/"  # type: ignore[attr-defined]
    assert client.post(LIST, {"kind": "cooking"}).status_code == 404


def test_sending_the_form_back_unchanged_changes_nothing(client: Client, draft: Guideline) -> None:
    before = (draft.body.strip("\n"), draft.flags, draft.scales)
    assert client.post(f"{LIST}{draft.pk}/edit/", fields_of(client, draft)).status_code == 302
    draft.refresh_from_db()
    assert (draft.body, draft.flags, draft.scales) == before


def test_looking_keeps_what_was_typed_and_saves_nothing(client: Client, draft: Guideline) -> None:
    answer = client.post(f"{LIST}{draft.pk}/edit/", fields_of(client, draft) | {"body": "Now **this**.", "act": "look"})
    assert "<strong>this</strong>" in text(answer)
    assert "Now **this**.</textarea>" in text(answer)
    draft.refresh_from_db()
    assert "Now" not in draft.body


def test_a_refused_draft_comes_back_as_it_was_typed(client: Client, draft: Guideline) -> None:
    fields = fields_of(client, draft)
    Guideline.objects.filter(pk=draft.pk).update(body="Somebody else was here.")
    answer = client.post(f"{LIST}{draft.pk}/edit/", fields | {"body": "Mine."})
    assert answer.status_code == 409
    assert "Mine.</textarea>" in text(answer)
    assert "Somebody else has saved this draft" in text(answer)


def test_a_published_version_has_no_editor(client: Client, project: Project) -> None:
    one = guideline_for(project, WorkKind.RANKING)
    fields = {"body": "Changed.", "act": "save"}
    assert client.post(f"{LIST}{one.pk}/edit/", fields).url == f"{LIST}{one.pk}/version/"  # type: ignore[attr-defined]
    one.refresh_from_db()
    assert one.body != "Changed."


def test_publishing_asks_first_and_then_it_is_what_labelers_read(
    client: Client, draft: Guideline, labeler: User
) -> None:
    assert "Publish version 2" in text(client.get(f"{LIST}{draft.pk}/publish/"))
    assert signed_in(labeler).get(f"{LIST}{draft.pk}/").status_code == 404
    client.post(f"{LIST}{draft.pk}/publish/")
    assert signed_in(labeler).get(f"{LIST}{draft.pk}/").status_code == 200


def test_words_that_were_saved_after_the_look_are_not_published_unread(
    client: Client, project: Project, draft: Guideline
) -> None:
    page = f"{LIST}{draft.pk}/publish/"
    seen = re.search(r'name="seen" value="(\w+)"', client.get(page).content.decode())
    assert seen
    Guideline.objects.filter(pk=draft.pk).update(body="Rank by length.")
    answer = client.post(page, {"seen": seen[1]})
    assert answer.status_code == 409
    assert "Somebody has saved this draft since you looked at it" in text(answer)
    assert Guideline.objects.get(pk=draft.pk).published_at is None
    again = re.search(r'name="seen" value="(\w+)"', answer.content.decode())
    assert again
    assert client.post(page, {"seen": again[1]}).status_code == 302
    assert Guideline.objects.get(pk=draft.pk).published_at


def test_no_flags_are_asked_about_and_not_published_by_the_button_alone(client: Client, draft: Guideline) -> None:
    Guideline.objects.filter(pk=draft.pk).update(flags=[])
    page = f"{LIST}{draft.pk}/publish/"
    assert "This guideline has no flags. Is that meant?" in text(client.get(page))
    assert client.post(page).status_code == 422
    assert Guideline.objects.get(pk=draft.pk).published_at is None
    client.post(page, {"without_flags": "yes"})
    assert Guideline.objects.get(pk=draft.pk).published_at


def test_two_versions_are_compared_with_marks_of_their_own(client: Client, project: Project, draft: Guideline) -> None:
    first = Guideline.objects.get(version=1)
    Guideline.objects.filter(pk=draft.pk).update(body=first.body.replace("Helpful comes first", "Truth comes <i>first"))
    html = text(client.get(f"{LIST}{draft.pk}/since/{first.pk}/"))
    assert "<ins>Truth" in html or "<ins>**Truth" in html
    assert "&lt;i&gt;" in html
    assert "unchanged" in html


def test_guidelines_of_different_work_are_not_compared(client: Client, project: Project, draft: Guideline) -> None:
    other = guideline_for(project, WorkKind.RATING)
    assert client.get(f"{LIST}{draft.pk}/since/{other.pk}/").status_code == 404


def test_a_draft_is_deleted_after_a_question_and_a_used_one_stays(
    client: Client, project: Project, draft: Guideline
) -> None:
    page = f"{LIST}{draft.pk}/delete/"
    assert "are gone then" in text(client.get(page))
    client.post(page)
    assert not Guideline.objects.filter(pk=draft.pk).exists()
    used = make_campaign(project, kind="rating").guideline
    answer = client.post(f"{LIST}{used.pk}/delete/")
    assert (answer.status_code, Guideline.objects.filter(pk=used.pk).exists()) == (409, True)


def test_the_list_costs_the_same_with_more_versions(
    client: Client, project: Project, django_assert_max_num_queries
) -> None:  # type: ignore[no-untyped-def]
    for version in range(1, 30):
        Guideline.objects.create(project=project, kind=WorkKind.RANKING, version=version, body="x")
    with django_assert_max_num_queries(8):
        client.get(LIST)
