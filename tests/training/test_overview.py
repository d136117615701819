"""The overview of a project: what it holds, what waits for people, figures that lead on."""

import pytest

from labeling.assigning import labeler_of
from labeling.models import Campaign, Cohort, Guideline, Project, User
from tests.conftest import signed_in
from tests.labeling.work import make_campaign, make_labeler, must_claim, ranked, submit_now

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]

PAGE = "/projects/helpdesk/overview/"


def test_an_empty_project_says_so_and_how_to_begin(owner: User) -> None:
    html = signed_in(owner).get(PAGE).content.decode()
    assert "Helpdesk is empty as yet. No campaign is open: nothing waits for people." in html
    assert "import_records helpdesk" in html


def test_it_says_what_it_holds_and_what_waits(project: Project, owner: User, labeler: User) -> None:
    campaign = make_campaign(project, tasks=3, overlap=2)
    submit_now(must_claim(campaign, labeler_of(labeler.memberships.get())), ranked(1, 2, 3, 4))
    answer = signed_in(owner).get(PAGE)
    html = answer.content.decode()
    assert "3 tasks wait for people, in 1 open campaign.</h1>" in html
    assert "Helpdesk holds 3 prompts and 1 ranking." in html
    assert "5 submissions are still wanted" in html
    assert answer.context["held"].active == 1


def test_open_campaigns_lead_on_and_say_for_which_cohort(project: Project, owner: User) -> None:
    campaign = make_campaign(project, cohort=Cohort.objects.create(project=project, name="laymen"))
    html = signed_in(owner).get(PAGE).content.decode()
    assert f'href="/projects/helpdesk/campaigns/{campaign.pk}/"' in html
    assert "for laymen" in html


def test_a_campaign_that_asks_for_prompts_waits_though_it_has_no_task_yet(project: Project, owner: User) -> None:
    guideline = Guideline.objects.create(project=project, kind="prompt", version=1)
    Campaign.objects.create(project=project, name="w", kind="prompt", guideline=guideline, quota=5, state="open")
    assert "People are asked to write prompts." in signed_in(owner).get(PAGE).content.decode()


def test_each_figure_leads_on(owner: User) -> None:
    html = signed_in(owner).get(PAGE).content.decode()
    for page in ("prompts", "responses", "campaigns", "people", "rounds"):
        assert f'<a href="/projects/helpdesk/{page}/">' in html


def test_a_rehearsal_says_so_plainly(project: Project, owner: User) -> None:
    assert "rehearsal" not in signed_in(owner).get(PAGE).content.decode()
    Project.objects.update(simulated=True)
    assert "This is a rehearsal" in signed_in(owner).get(PAGE).content.decode()


def test_what_it_says_of_itself_is_sanitised(project: Project, owner: User) -> None:
    Project.objects.update(about="# Why\n\n<script>alert(1)</script> [x](javascript:alert(1)) **bold**")
    html = signed_in(owner).get(PAGE).content.decode()
    assert "<strong>bold</strong>" in html
    assert "<script>alert" not in html
    assert 'href="javascript' not in html


def test_it_costs_the_same_for_many_campaigns(
    project: Project, owner: User, django_assert_max_num_queries: object
) -> None:
    for number in range(6):
        submit_now(must_claim(make_campaign(project), make_labeler(project, f"m{number}")), ranked(1, 2, 3, 4))
    client = signed_in(owner)
    with django_assert_max_num_queries(21):  # type: ignore[operator]
        client.get(PAGE)


def test_labelers_are_not_shown_it_and_a_stranger_finds_nothing(labeler: User, stranger: User) -> None:
    assert signed_in(labeler).get(PAGE).status_code == 403
    assert signed_in(stranger).get(PAGE).status_code == 404
