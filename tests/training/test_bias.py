"""The bias report: what it says, what it says it cannot, and who may read it."""

import pytest

from labeling.backgrounds import answer, read_questions
from labeling.models import BackgroundForm, Campaign, Guideline, Project, User
from tests.conftest import signed_in
from tests.reports.judged import labelers_of, ranked_campaign

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]

PAGE = "/projects/helpdesk/bias/"
JSON = "/projects/helpdesk/bias.json"


def test_a_new_project_says_what_is_missing(project: Project, researcher: User) -> None:
    client = signed_in(researcher)
    html = client.get(PAGE).content.decode()
    assert "Nobody has labeled here yet." in html
    found = client.get(JSON).json()
    assert any("background" in one for one in found["missing"])
    assert any("No reward model" in one for one in found["missing"])
    assert found["effects"]["agreement"]["value"] is None


def test_it_says_who_labeled_what_was_chosen_and_where_prompts_came_from(project: Project, researcher: User) -> None:
    BackgroundForm.objects.create(
        project=project, questions=read_questions("Age: young | old"), consent="Yes.",
        reference={"age": {"young": 0.25, "old": 0.75}}, reference_source="The census of 2021",
    )  # fmt: skip
    people = labelers_of(project, "a b c d e f")
    for one in people:
        answer(one, {"age": "young"}, consents=True)
    campaign = ranked_campaign(project, [{"a": (1, 2), "b": (1, 2)}, {"a": (1, 2), "c": (2, 1)}])
    Campaign.objects.filter(pk=campaign.pk).update(blind=True)
    Guideline.objects.filter(pk=campaign.guideline_id).update(changes="Ties are welcome now.")
    found = signed_in(researcher).get(JSON).json()
    shares = found["who"]["background"][0]["shares"]
    assert shares == [
        {"answer": "young", "count": 6, "share": 1.0, "population": 0.25},
        {"answer": "old", "count": 0, "share": 0.0, "population": 0.75},
    ]
    assert found["who"]["labelers"] == [{"name": "Imported", "number": 3, "share": 1.0}]
    assert found["chosen"]["guidelines"][0]["changes"] == "Ties are welcome now."
    assert found["chosen"]["kept_for_some"][0]["blind"] is True
    assert found["prompts"]["sources"] == 2
    assert found["effects"]["agreement"]["value"] == 0.5
    html = signed_in(researcher).get(PAGE).content.decode()
    for words in (
        "What models learn here is what 3 labelers said of 2 prompts",
        "The census of 2021",
        "Ties are welcome",
    ):
        assert words in html


def test_a_labeler_is_refused_and_a_stranger_finds_nothing(project: Project, labeler: User, stranger: User) -> None:
    for user, status in ((labeler, 403), (stranger, 404)):
        assert [signed_in(user).get(one).status_code for one in (PAGE, JSON)] == [status, status]
