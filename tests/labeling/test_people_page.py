"""The people of a project: researchers look, owners invite, change roles and remove; strangers find nothing."""

import pytest
from django.test import Client
from django.utils import timezone

from labeling.assigning import labeler_of
from labeling.models import Cohort, CohortMember, Invitation, Membership, Project, Role, User
from tests.conftest import make_member, signed_in
from tests.labeling.test_invite import invited
from tests.labeling.work import make_campaign, must_claim, ranked, submit_now

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]

PEOPLE = "/projects/helpdesk/people/"


def membership_of(user: User) -> Membership:
    return Membership.objects.get(user=user, project__slug="helpdesk")


def test_it_lists_members_with_role_cohort_and_what_they_did(project: Project, owner: User, labeler: User) -> None:
    worker = labeler_of(membership_of(labeler))
    submit_now(must_claim(make_campaign(project), worker), ranked(1, 2, 3, 4))
    cohort = Cohort.objects.create(project=project, name="readers of poetry")
    CohortMember.objects.create(cohort=cohort, labeler=worker, since=timezone.now())
    html = signed_in(owner).get(PEOPLE).content.decode()
    assert "<b>2</b> members, 1 of them owner" in html
    row = html[html.index("lars@example.org") :]
    row = row[: row.index("</tr>")]
    for told in ("Labeler", "readers of poetry", ">1</td>", worker.pseudonym):
        assert told in row


def test_a_researcher_sees_no_address_no_pseudonym_and_no_form(
    project: Project, owner: User, researcher: User, labeler: User
) -> None:
    invited(project, owner)
    pseudonym = labeler_of(membership_of(labeler)).pseudonym
    html = signed_in(researcher).get(PEOPLE).content.decode()
    assert "lars" in html
    assert "1 invitation not accepted yet" in html
    for kept in ("lars@example.org", "ada@example.org", pseudonym, 'name="email"', "/remove/", "pay.csv"):
        assert kept not in html


def test_a_researcher_cannot_match_names_with_pseudonyms_by_what_they_did(
    project: Project, researcher: User, labeler: User
) -> None:
    """The page of a campaign shows how many each pseudonym did, and when they did the last one."""
    worker, campaign = labeler_of(membership_of(labeler)), make_campaign(project, tasks=7)
    for _ in range(7):
        submit_now(must_claim(campaign, worker), ranked(1, 2, 3, 4))
    html = signed_in(researcher).get(PEOPLE).content.decode()
    row = html[html.index("lars") :]
    row = row[: row.index("</tr>")]
    assert ">7<" not in row
    assert f"{timezone.now():%Y}" not in row
    assert "Last work" not in html


def test_it_costs_the_same_for_three_members_and_for_thirty(
    project: Project, owner: User, django_assert_max_num_queries: object
) -> None:
    for number in range(30):
        labeler_of(membership_of(make_member(project, f"m{number}", Role.LABELER)))
    client = signed_in(owner)
    with django_assert_max_num_queries(16):  # type: ignore[operator]
        client.get(PEOPLE)


def test_more_than_a_page_of_members_is_paged(project: Project, owner: User) -> None:
    for number in range(55):
        make_member(project, f"m{number:02}", Role.LABELER)
    client = signed_in(owner)
    assert "m54@" not in client.get(PEOPLE).content.decode()
    assert "m54@" in client.get(PEOPLE + "?page=2").content.decode()
    assert client.get(PEOPLE + "?page=x").status_code == 200


def test_every_open_invitation_is_counted_and_can_be_reached(project: Project, owner: User) -> None:
    soon = timezone.now() + Invitation.VALID_FOR
    Invitation.objects.bulk_create(
        Invitation(project=project, email=f"m{n:02}@example.org", role=Role.LABELER, digest=str(n), expires_at=soon)
        for n in range(55)
    )
    client = signed_in(owner)
    pages = [client.get(f"{PEOPLE}?invitations={page}").content.decode() for page in (1, 2)]
    assert "55 invitations not accepted yet" in pages[0]
    assert all(any(f"m{n:02}@" in page for page in pages) for n in range(55))


def test_an_address_with_an_open_invitation_is_offered_a_new_link(project: Project, owner: User) -> None:
    invited(project, owner)
    answer = signed_in(owner).post(PEOPLE + "invite/", {"email": "ada@example.org", "role": "labeler"})
    html = answer.content.decode()
    assert answer.status_code == 409
    assert "was invited as Labeler already" in html
    again = Invitation.objects.get()
    assert f"{PEOPLE}invitations/{again.pk}/resend/" in html
    signed_in(owner).post(f"{PEOPLE}invitations/{again.pk}/resend/")
    assert Invitation.objects.filter(withdrawn_at=None).exclude(pk=again.pk).count() == 1


def test_a_bad_address_comes_back_as_it_was_typed(owner: User) -> None:
    answer = signed_in(owner).post(PEOPLE + "invite/", {"email": "ada at home", "role": "reviewer"})
    html = answer.content.decode()
    assert answer.status_code == 400
    assert 'value="ada at home"' in html
    assert '<option value="reviewer" selected>' in html


def test_an_owner_withdraws_an_invitation(project: Project, owner: User) -> None:
    invited(project, owner)
    signed_in(owner).post(f"{PEOPLE}invitations/{Invitation.objects.get().pk}/withdraw/")
    assert Invitation.objects.get().withdrawn_at is not None


def test_an_owner_gives_another_role(owner: User, labeler: User) -> None:
    page = f"{PEOPLE}{membership_of(labeler).pk}/"
    client = signed_in(owner)
    assert "lars is labeler" in client.get(page).content.decode()
    client.post(page, {"role": "researcher"})
    assert membership_of(labeler).role == Role.RESEARCHER


@pytest.mark.parametrize("role", ["", "king", "labeler\0"])
def test_a_role_that_is_none_changes_nothing(owner: User, labeler: User, role: str) -> None:
    answer = signed_in(owner).post(f"{PEOPLE}{membership_of(labeler).pk}/", {"role": role})
    assert answer.status_code == 409
    assert membership_of(labeler).role == Role.LABELER


def test_the_last_owner_cannot_be_demoted_removed_or_leave(project: Project, owner: User) -> None:
    client, own = signed_in(owner), f"{PEOPLE}{membership_of(owner).pk}/"
    for answer in (
        client.post(own, {"role": "labeler"}),
        client.post(own + "remove/"),
        client.post("/projects/helpdesk/leave/"),
    ):
        assert answer.status_code == 409
        assert "only owner of Helpdesk" in answer.content.decode()
    assert membership_of(owner).role == Role.OWNER


def test_an_owner_who_cannot_sign_in_is_not_the_one_that_is_left(project: Project, owner: User) -> None:
    other = make_member(project, "otto", Role.OWNER)
    User.objects.filter(pk=other.pk).update(is_active=False)
    assert signed_in(owner).post("/projects/helpdesk/leave/").status_code == 409


def test_of_two_owners_one_may_go(project: Project, owner: User) -> None:
    make_member(project, "otto", Role.OWNER)
    assert signed_in(owner).post("/projects/helpdesk/leave/").url == "/"
    assert not Membership.objects.filter(user=owner, project=project).exists()


def pages(project: Project, owner: User, labeler: User) -> list[tuple[str, str]]:
    invited(project, owner)
    invitation, member = Invitation.objects.get(), membership_of(labeler)
    return [
        ("get", PEOPLE),
        ("post", f"{PEOPLE}invite/"),
        ("get", f"{PEOPLE}pay.csv"),
        ("get", f"{PEOPLE}{member.pk}/"),
        ("post", f"{PEOPLE}{member.pk}/"),
        ("get", f"{PEOPLE}{member.pk}/remove/"),
        ("post", f"{PEOPLE}{member.pk}/remove/"),
        ("post", f"{PEOPLE}invitations/{invitation.pk}/resend/"),
        ("post", f"{PEOPLE}invitations/{invitation.pk}/withdraw/"),
    ]


def test_a_stranger_finds_none_of_it(project: Project, owner: User, labeler: User, stranger: User) -> None:
    client = signed_in(stranger)
    for method, page in [*pages(project, owner, labeler), ("get", "/projects/helpdesk/leave/")]:
        assert getattr(client, method)(page).status_code == 404, page


def test_labelers_and_researchers_act_on_nobody(project: Project, owner: User, labeler: User, researcher: User) -> None:
    found = pages(project, owner, labeler)
    for user, allowed in ((labeler, set()), (researcher, {PEOPLE})):
        client = signed_in(user)
        for method, page in found:
            assert getattr(client, method)(page).status_code == (200 if page in allowed else 403), page


def test_members_and_invitations_of_another_project_are_not_reached(
    project: Project, owner: User, stranger: User
) -> None:
    other = stranger.memberships.get()
    invited(other.project, stranger)
    client = signed_in(owner)
    theirs = f"{PEOPLE}invitations/{Invitation.objects.get().pk}/withdraw/"
    assert client.post(f"{PEOPLE}{other.pk}/remove/").status_code == 404
    assert client.post(theirs).status_code == 404
    assert Invitation.objects.get().withdrawn_at is None


def test_an_owner_with_a_password_says_it_again_before_the_members_change(owner: User, labeler: User) -> None:
    owner.set_password("analytical engine")
    owner.save()
    client = Client()
    client.force_login(owner)
    answer = client.post(f"{PEOPLE}{membership_of(labeler).pk}/remove/")
    assert answer.url.startswith("/accounts/reauthenticate/")
    assert membership_of(labeler)
    client.post(answer.url, {"password": "analytical engine"})
    assert not Membership.objects.filter(user=labeler).exists()
