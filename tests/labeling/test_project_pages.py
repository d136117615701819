"""Projects: made by owners and by whoever runs the installation, described by their owners, deleted while empty."""

import pytest
from django.test import Client

from labeling import projects
from labeling.models import Campaign, Cohort, Guideline, Membership, Project, Role, User, WorkKind
from tests.conftest import make_member, signed_in
from tests.labeling.work import make_prompt

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]

SETTINGS, DELETE = "/projects/helpdesk/settings/", "/projects/helpdesk/delete/"


def test_an_owner_of_a_project_makes_another_and_owns_it(owner: User) -> None:
    answer = signed_in(owner).post("/new-project/", {"name": "Über & Out", "about": "# Why"})
    made = Project.objects.get(name="Über & Out")
    assert (made.slug, made.about) == ("uber-out", "# Why")
    assert answer.url == "/projects/uber-out/overview/"
    assert Membership.objects.get(project=made).role == Role.OWNER


def test_two_of_one_name_have_two_addresses(owner: User) -> None:
    for _ in range(2):
        signed_in(owner).post("/new-project/", {"name": "Helpdesk", "about": ""})
    assert set(Project.objects.values_list("slug", flat=True)) == {"helpdesk", "helpdesk-2", "helpdesk-3"}


def test_one_that_is_made_at_the_same_moment_gets_another_address(owner: User, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first look finds an address free that somebody takes before it is written."""
    looked, free = [], projects._free_slug

    def late(name: str) -> str:
        looked.append(name)
        return "helpdesk" if len(looked) == 1 else free(name)

    monkeypatch.setattr(projects, "_free_slug", late)
    answer = signed_in(owner).post("/new-project/", {"name": "Helpdesk", "about": ""})
    assert answer.url == "/projects/helpdesk-2/overview/"


def test_where_no_address_can_be_had_a_sentence_says_so(owner: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(projects, "_free_slug", lambda name: "helpdesk")
    answer = signed_in(owner).post("/new-project/", {"name": "Helpdesk", "about": "Kept words."})
    assert answer.status_code == 400
    assert "at this moment; send it again." in answer.content.decode()
    assert "Kept words." in answer.content.decode()
    assert Project.objects.count() == 1


@pytest.mark.parametrize("name", ["日本語", "__", "!!!", "new", "-a-"])
def test_any_name_gets_an_address_that_works(owner: User, name: str) -> None:
    client = signed_in(owner)
    address = client.post("/new-project/", {"name": name, "about": ""}).url
    assert client.get(address).status_code == 200


@pytest.mark.parametrize("name", ["", "  ", "x" * 121, "a\nb", "a\0b"])
def test_a_name_that_cannot_be_comes_back_with_what_was_typed(owner: User, name: str) -> None:
    answer = signed_in(owner).post("/new-project/", {"name": name, "about": "Kept words."})
    assert answer.status_code == 400
    assert "Kept words." in answer.content.decode()
    assert Project.objects.count() == 1


def test_staff_may_make_projects_and_others_may_not(labeler: User, researcher: User) -> None:
    for user in (labeler, researcher):
        for method in ("get", "post"):
            assert getattr(signed_in(user), method)("/new-project/", {"name": "Mine"}).status_code == 403
    User.objects.filter(pk=labeler.pk).update(is_staff=True)
    assert signed_in(labeler).post("/new-project/", {"name": "Mine", "about": ""}).status_code == 302
    assert Client().get("/new-project/").url.startswith("/accounts/login/")


def test_an_owner_renames_and_describes_and_the_address_stays(project: Project, owner: User) -> None:
    signed_in(owner).post(SETTINGS, {"name": "Help", "about": "New words."})
    project.refresh_from_db()
    assert (project.name, project.slug, project.about) == ("Help", "helpdesk", "New words.")


def test_a_description_that_cannot_be_kept_comes_back(project: Project, owner: User) -> None:
    answer = signed_in(owner).post(SETTINGS, {"name": "Help", "about": "x" * 20_001})
    assert answer.status_code == 400
    assert "20,001 characters" in answer.content.decode()
    project.refresh_from_db()
    assert project.name == "Helpdesk"


def test_with_work_in_it_it_is_not_deleted_and_the_page_says_why(project: Project, owner: User) -> None:
    make_prompt(project)
    answer = signed_in(owner).post(DELETE, {"named": "Helpdesk"})
    assert answer.status_code == 409
    assert "Helpdesk holds 1 prompt." in answer.content.decode()
    assert "cannot be deleted" in signed_in(owner).get(DELETE).content.decode()
    assert Project.objects.filter(pk=project.pk).exists()


def test_rounds_keep_it_too(project: Project, owner: User) -> None:
    signed_in(owner).post("/projects/helpdesk/rounds/", {"recipe": "tiny"})
    assert signed_in(owner).post(DELETE, {"named": "Helpdesk"}).status_code == 409
    assert Project.objects.filter(pk=project.pk).exists()


def test_empty_it_is_deleted_once_its_name_is_typed(project: Project, owner: User, labeler: User) -> None:
    cohort = Cohort.objects.create(project=project, name="laymen")
    guideline = Guideline.objects.create(project=project, kind=WorkKind.RANKING, version=1, body="")
    Campaign.objects.create(project=project, name="c", kind=WorkKind.RANKING, guideline=guideline, cohort=cohort)
    signed_in(labeler).get("/projects/helpdesk/")
    client = signed_in(owner)
    refused = client.post(DELETE, {"named": "helpdesk"})
    assert refused.status_code == 400
    assert "type its name: Helpdesk" in refused.content.decode()
    assert client.post(DELETE, {"named": "Helpdesk"}).url == "/"
    assert not Project.objects.filter(pk=project.pk).exists()
    assert User.objects.filter(pk=labeler.pk).exists()


def test_only_owners_open_settings_and_a_stranger_finds_nothing(
    project: Project, labeler: User, researcher: User, stranger: User
) -> None:
    for user, status in ((labeler, 403), (researcher, 403), (stranger, 404)):
        for page in (SETTINGS, DELETE):
            for method in ("get", "post"):
                assert getattr(signed_in(user), method)(page, {"named": "Helpdesk"}).status_code == status
    assert Project.objects.filter(slug="helpdesk", name="Helpdesk").exists()


def test_a_second_owner_owns_too(project: Project) -> None:
    assert signed_in(make_member(project, "otto", Role.OWNER)).get(SETTINGS).status_code == 200
