"""The admin pages open for whoever runs the installation, and change nothing that is append only."""

import pytest
from django.contrib import admin
from django.test import Client

from labeling.models import Assignment, Campaign, Cohort, Guideline, Project, ProjectToken, Submission, User
from tests.conftest import signed_in
from tests.labeling.conftest import Desk
from tests.labeling.work import ranked, submit_now

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]

OURS = [model for model in admin.site._registry if model._meta.app_label == "labeling"]


@pytest.fixture
def operator(db: None) -> Client:
    return signed_in(User.objects.create_superuser(username="root"))


def test_every_noun_has_its_list_and_its_page(operator: Client, desk: Desk) -> None:
    submit_now(desk.assignment, ranked(1, 2, 3, 4))
    for model in OURS:
        base = f"/admin/labeling/{model._meta.model_name}/"
        assert operator.get(base).status_code == 200, base
        row = model._default_manager.first()
        if row is not None:
            assert operator.get(f"{base}{row.pk}/change/").status_code == 200, base


def test_what_was_said_cannot_be_changed(operator: Client, desk: Desk) -> None:
    submission = submit_now(desk.assignment, ranked(1, 2, 3, 4)).submission
    answer = operator.post(f"/admin/labeling/submission/{submission.pk}/change/", {"note": "forged"})
    assert answer.status_code == 403
    assert operator.post(f"/admin/labeling/submission/{submission.pk}/delete/", {"post": "yes"}).status_code == 403
    assert Submission.objects.get().note == ""
    assert Assignment.objects.count() == 1


def test_a_published_guideline_is_read_only(operator: Client, desk: Desk) -> None:
    address = f"/admin/labeling/guideline/{desk.campaign.guideline_id}/change/"
    assert operator.post(address, {"body": "other"}).status_code == 403
    assert "Ties are welcome" in Guideline.objects.get().body


def fields_offered(operator: Client, address: str) -> set[str]:
    """Names of the fields that a change page lets one change."""
    return set(operator.get(address).context["adminform"].form.fields)


def test_what_people_work_by_is_fixed_once_their_campaign_is_open(operator: Client, desk: Desk) -> None:
    campaign = desk.campaign
    address = f"/admin/labeling/campaign/{campaign.pk}/change/"
    other = Guideline.objects.create(project=campaign.project, kind=campaign.kind, version=2, body="Rank otherwise.")
    form = {"name": "Renamed", "overlap": 1, "lease_minutes": 30, "skip_policy": "to_others", "correction_minutes": 60}
    form |= {"extra": 0, "gold_rate": 0, "repeat_rate": 0}
    form |= {"cohort": Cohort.objects.create(project=campaign.project, name="Nurses").pk}
    answer = operator.post(address, form | {"guideline": other.pk, "required": '["flags"]', "kind": "rating"})
    assert answer.status_code == 302
    changed = Campaign.objects.get()
    assert (changed.name, changed.kind, changed.guideline_id) == ("Renamed", campaign.kind, campaign.guideline_id)
    assert (changed.required, changed.cohort) == (campaign.required, None)

    Campaign.objects.update(state=Campaign.State.DRAFT)
    offered = fields_offered(operator, address)
    assert {"guideline", "required"} <= offered
    assert not {"project", "kind"} & offered


def test_a_members_person_and_a_projects_address_stay(operator: Client, desk: Desk, labeler: User) -> None:
    membership = labeler.memberships.get()
    assert fields_offered(operator, f"/admin/labeling/membership/{membership.pk}/change/") == {"role"}
    offered = fields_offered(operator, f"/admin/labeling/project/{desk.campaign.project_id}/change/")
    assert offered == {"name", "about", "licence", "second_factor"}
    assert "slug" in fields_offered(operator, "/admin/labeling/project/add/")


def test_a_token_is_listed_and_revoked(operator: Client, project: Project, owner: User) -> None:
    ProjectToken.make(user=owner, project=project)
    token = ProjectToken.objects.get()
    assert token.token_key in operator.get("/admin/labeling/projecttoken/").content.decode()
    assert operator.get("/admin/labeling/projecttoken/add/").status_code == 403
    operator.post(f"/admin/labeling/projecttoken/{token.pk}/delete/", {"post": "yes"})
    assert not ProjectToken.objects.exists()


def test_a_campaign_is_closed_by_its_act_and_not_opened_again(operator: Client, desk: Desk) -> None:
    for action in ("close_selected", "open_selected"):
        answer = operator.post(
            "/admin/labeling/campaign/", {"action": action, "_selected_action": str(desk.campaign.pk)}, follow=True
        )
    assert "is closed; from there it does not become open" in answer.content.decode()
    assert Campaign.objects.get().state == Campaign.State.CLOSED


def test_a_member_does_not_get_in(owner: User, project: Project) -> None:
    assert signed_in(owner).get("/admin/labeling/submission/").status_code == 302
