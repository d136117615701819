"""A new major version of a guideline is read before the next task under it; every submission names its version."""

import pytest
from django.utils import timezone

from labeling.assigning import claim, labeler_of
from labeling.campaigning import change_settings, may_move_on
from labeling.errors import GuidelineUnread, InvalidSetting
from labeling.models import Campaign, Guideline, GuidelineRead, Project, Submission, User
from labeling.publishing import publish
from tests.conftest import signed_in
from tests.labeling.conftest import at_desk
from tests.labeling.work import make_campaign, make_labeler, must_claim, ranked, submit_now

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]


@pytest.fixture
def campaign(project: Project) -> Campaign:
    return make_campaign(project, tasks=3)


def next_version(campaign: Campaign, *, major: bool = True, **changed: object) -> Guideline:
    now = Guideline.objects.order_by("-version")[0]
    said = {"body": "New rules.", "flags": now.flags, "scales": now.scales} | changed
    draft = Guideline.objects.create(project=campaign.project, kind=campaign.kind, version=now.version + 1, **said)
    if "scales" not in changed:
        draft.scales = [{"name": "overall", "label": "Overall", "low": "worst", "high": "best"}]
        Guideline.objects.filter(pk=draft.pk).update(scales=draft.scales)
        Guideline.objects.filter(pk=campaign.guideline_id).update(scales=draft.scales)
        campaign.guideline.refresh_from_db()
    publish(draft, major=major, without_flags=True)
    return draft


def test_the_next_task_waits_until_it_is_read_and_the_one_in_hand_does_not(
    project: Project, campaign: Campaign
) -> None:
    ada = make_labeler(project, "ada")
    held = must_claim(campaign, ada)
    before = campaign.guideline
    after = next_version(campaign)
    change_settings(campaign, {"guideline": after})
    assert submit_now(held, ranked(1, 2, 3, 4)).submission.guideline == before
    with pytest.raises(GuidelineUnread) as unread:
        claim(campaign, ada)
    assert unread.value.guideline == after.pk
    GuidelineRead.objects.create(labeler=ada, guideline=after)
    assert submit_now(must_claim(campaign, ada), ranked(1, 2, 3, 4)).submission.guideline == after


def test_a_minor_version_asks_nobody_anew_and_keeps_what_had_to_be_read(project: Project, campaign: Campaign) -> None:
    ada, ben = make_labeler(project, "ada"), make_labeler(project, "ben")
    major = next_version(campaign)
    minor = next_version(campaign, major=False)
    assert (major.read_from, minor.read_from) == (2, 2)
    change_settings(campaign, {"guideline": minor})
    GuidelineRead.objects.create(labeler=ada, guideline=major)
    assert must_claim(campaign, ada)
    with pytest.raises(GuidelineUnread):
        claim(campaign, ben)


def test_the_page_says_what_is_new_and_leads_on_to_the_task(
    project: Project, campaign: Campaign, labeler: User
) -> None:
    desk = at_desk(labeler, campaign)
    after = next_version(campaign, changes="Ties count *now*.")
    change_settings(campaign, {"guideline": after})
    form = desk.form(rank_A="1", rank_B="2", rank_C="3", rank_D="4")
    told = desk.client.post(desk.page, form, headers={"accept": "application/json"}).json()
    assert told == {"next": f"/projects/helpdesk/guidelines/{after.pk}/?campaign={campaign.pk}"}
    html = desk.client.get(told["next"]).content.decode()
    assert "Ties count <em>now</em>" in html
    assert "Read this first" in html
    there = desk.client.post(told["next"]).url
    assert there.startswith("/projects/helpdesk/tasks/")
    assert Submission.objects.get().guideline != after
    assert GuidelineRead.objects.get().labeler == labeler_of(labeler.memberships.get())


def test_an_open_campaign_goes_on_only_under_a_later_version_that_asks_the_same(
    project: Project, campaign: Campaign
) -> None:
    other = next_version(campaign, flags=[])
    assert not may_move_on(campaign, other)
    with pytest.raises(InvalidSetting, match="guideline stays"):
        change_settings(campaign, {"guideline": other})
    later = next_version(campaign)
    Guideline.objects.filter(pk=later.pk).update(flags=campaign.guideline.flags)
    later.refresh_from_db()
    change_settings(campaign, {"guideline": later})
    draft = Guideline.objects.create(project=project, kind=campaign.kind, version=9, body="x", flags=later.flags)
    with pytest.raises(InvalidSetting):
        change_settings(campaign, {"guideline": draft})


def test_publishing_in_the_console_says_whether_it_is_to_be_read(
    project: Project, researcher: User, campaign: Campaign
) -> None:
    client = signed_in(researcher)
    for version, sent in ((2, {"major": "yes", "without_flags": "yes"}), (3, {"without_flags": "yes"})):
        scales = [{"name": "overall", "label": "Overall", "low": "worst", "high": "best"}]
        draft = Guideline.objects.create(
            project=project, kind=campaign.kind, version=version, body="Rules.", scales=scales
        )
        page = f"/projects/helpdesk/guidelines/{draft.pk}/publish/"
        assert 'name="major" value="yes" checked' in client.get(page).content.decode()
        assert client.post(page, sent).status_code == 302
        draft.refresh_from_db()
        assert draft.read_from == 2
        assert draft.published_at is not None
        assert draft.published_at <= timezone.now()


def test_a_guideline_is_not_read_by_a_stranger_nor_for_a_campaign_elsewhere(
    project: Project, campaign: Campaign, labeler: User, stranger: User
) -> None:
    page = f"/projects/helpdesk/guidelines/{campaign.guideline_id}/"
    assert signed_in(stranger).post(page).status_code == 404
    for asked in ("x", "999999", "²"):
        assert signed_in(labeler).get(f"{page}?campaign={asked}").status_code == 404
    assert not GuidelineRead.objects.exists()
