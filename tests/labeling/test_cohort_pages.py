"""Cohorts: owners make, describe, fill and delete them; researchers look; labelers never learn of them."""

import pytest
from django.utils import timezone

from labeling.assigning import labeler_of
from labeling.models import Cohort, CohortMember, Labeler, Membership, Project, User
from tests.conftest import signed_in
from tests.labeling.work import make_campaign, make_labeler

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]

COHORTS = "/projects/helpdesk/cohorts/"


@pytest.fixture
def cohort(project: Project) -> Cohort:
    return Cohort.objects.create(project=project, name="laymen", about="Who answers for a living.")


@pytest.fixture
def page(cohort: Cohort) -> str:
    return f"{COHORTS}{cohort.pk}/"


def test_an_owner_makes_one(project: Project, owner: User) -> None:
    answer = signed_in(owner).post(COHORTS, {"name": " experts ", "about": "They know."})
    made = Cohort.objects.get()
    assert answer.url == f"{COHORTS}{made.pk}/"
    assert (made.name, made.about, made.project) == ("experts", "They know.", project)


@pytest.mark.parametrize("name", ["", "laymen", "a\nb", "x" * 61])
def test_a_name_that_cannot_be_comes_back_with_what_was_typed(owner: User, cohort: Cohort, name: str) -> None:
    answer = signed_in(owner).post(COHORTS, {"name": name, "about": "Kept words."})
    assert answer.status_code == 400
    assert "Kept words." in answer.content.decode()
    assert Cohort.objects.count() == 1


def test_it_is_renamed_and_described(owner: User, cohort: Cohort, page: str) -> None:
    signed_in(owner).post(page, {"name": "novices", "about": "New here."})
    cohort.refresh_from_db()
    assert (cohort.name, cohort.about) == ("novices", "New here.")


def test_members_who_never_labelled_and_imported_labelers_are_put_in(
    project: Project, owner: User, labeler: User, cohort: Cohort, page: str
) -> None:
    imported = Labeler.objects.create(project=project, pseudonym="rater-7", source=Labeler.Source.IMPORTED)
    membership = labeler.memberships.get()
    html = signed_in(owner).get(page).content.decode()
    chosen = [f"member-{membership.pk}", f"labeler-{imported.pk}"]
    assert all(f'value="{value}"' in html for value in chosen)
    signed_in(owner).post(
        page + "put-in/", {"who": [*chosen, "member-x", "labeler-", "-", "labeler-99999999999999999999"]}
    )
    assert {one.labeler for one in CohortMember.objects.filter(until=None)} == {imported, labeler_of(membership)}
    html = signed_in(owner).get(page).content.decode()
    assert not any(f'value="{value}"' in html for value in chosen)


def test_names_do_not_stand_in_the_order_of_the_pseudonyms(
    project: Project, researcher: User, cohort: Cohort, page: str
) -> None:
    for name, pseudonym in (("ada", "L-z"), ("ben", "L-m"), ("cem", "L-b")):
        made = make_labeler(project, name)
        Labeler.objects.filter(pk=made.pk).update(pseudonym=pseudonym)
        CohortMember.objects.create(cohort=cohort, labeler=made, since=timezone.now())
    html = signed_in(researcher).get(page).content.decode()
    assert html.index(">ada<") < html.index(">ben<") < html.index(">cem<")


def test_put_in_twice_is_in_once(project: Project, owner: User, labeler: User, page: str) -> None:
    for _ in range(2):
        signed_in(owner).post(page + "put-in/", {"who": f"member-{labeler.memberships.get().pk}"})
    assert CohortMember.objects.count() == 1


def test_taken_out_and_put_in_again_has_two_stays(project: Project, owner: User, page: str) -> None:
    worker = make_labeler(project, "ada")
    client = signed_in(owner)
    for _ in range(2):
        client.post(page + "put-in/", {"who": f"member-{worker.membership_id}"})
        client.post(f"{page}take-out/{worker.pk}/")
    assert CohortMember.objects.filter(until=None).count() == 0
    assert CohortMember.objects.count() == 2


def test_people_of_another_project_are_not_put_in(owner: User, stranger: User, cohort: Cohort, page: str) -> None:
    theirs = stranger.memberships.get()
    other = Labeler.objects.create(project=theirs.project, pseudonym="x", source=Labeler.Source.IMPORTED)
    signed_in(owner).post(page + "put-in/", {"who": [f"member-{theirs.pk}", f"labeler-{other.pk}"]})
    assert not CohortMember.objects.exists()
    assert signed_in(owner).post(f"{page}take-out/{other.pk}/").status_code == 404


def test_a_search_finds_whom_to_put_in(project: Project, owner: User, page: str) -> None:
    for name in ("ada", "bea"):
        make_labeler(project, name)
    html = signed_in(owner).get(page, {"q": "AD"}).content.decode()
    assert ">ada<" in html
    assert ">bea<" not in html
    assert "Nobody outside" in signed_in(owner).get(page, {"q": "zz\0"}).content.decode()


def test_one_that_never_had_anybody_is_deleted(owner: User, cohort: Cohort, page: str) -> None:
    assert "nothing else changes" in signed_in(owner).get(page + "delete/").content.decode()
    signed_in(owner).post(page + "delete/")
    assert not Cohort.objects.exists()


def test_one_that_had_members_stays(project: Project, owner: User, cohort: Cohort, page: str) -> None:
    worker = make_labeler(project, "ada")
    client = signed_in(owner)
    client.post(page + "put-in/", {"who": f"member-{worker.membership_id}"})
    client.post(f"{page}take-out/{worker.pk}/")
    answer = client.post(page + "delete/")
    assert answer.status_code == 409
    assert "has had members" in answer.content.decode()
    assert Cohort.objects.exists()


def test_one_that_a_campaign_points_to_stays(project: Project, owner: User, cohort: Cohort, page: str) -> None:
    campaign = make_campaign(project, cohort=cohort)
    answer = signed_in(owner).post(page + "delete/")
    assert answer.status_code == 409
    assert campaign.name in answer.content.decode()
    assert Cohort.objects.exists()


def test_a_researcher_looks_and_changes_nothing(researcher: User, cohort: Cohort, page: str) -> None:
    client = signed_in(researcher)
    for address in (COHORTS, page):
        html = client.get(address).content.decode()
        assert "laymen" in html
        assert '<form class="form"' not in html
        assert client.post(address, {"name": "mine", "about": ""}).status_code == 403
    for act in ("put-in/", "take-out/1/", "delete/"):
        assert client.post(page + act).status_code == 403


def test_a_labeler_is_shown_none_of_it_and_a_stranger_finds_nothing(labeler: User, stranger: User, page: str) -> None:
    for user, status in ((labeler, 403), (stranger, 404)):
        client = signed_in(user)
        for address in (COHORTS, page, page + "delete/"):
            assert client.get(address).status_code == status
        for act in ("put-in/", "take-out/1/", "delete/"):
            assert client.post(page + act).status_code == status


def test_a_cohort_of_another_project_is_not_reached(owner: User, stranger: User) -> None:
    other = Cohort.objects.create(project=stranger.memberships.get().project, name="theirs")
    assert signed_in(owner).get(f"{COHORTS}{other.pk}/").status_code == 404
    assert not Membership.objects.filter(user=owner, project=other.project).exists()


def test_two_names_that_differ_in_capitals_only_are_one(owner: User, cohort: Cohort, page: str) -> None:
    client, name = signed_in(owner), cohort.name
    answer = client.post("/projects/helpdesk/cohorts/", {"name": name.swapcase(), "about": ""})
    assert answer.status_code == 400
    assert "in this project already" in answer.content.decode()
    assert Cohort.objects.count() == 1
    client.post(page, {"name": name.upper(), "about": ""})
    assert Cohort.objects.get().name == name.upper()
