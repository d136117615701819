"""The page of agreement, and its JSON."""

import pytest

from labeling.agreement import Figure, Interval
from labeling.models import Project, User
from labeling.views.agreement import _beside_paper
from tests.conftest import signed_in
from tests.reports.judged import labelers_of, ranked_campaign, rated_campaign, say

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]

PAGE = "/projects/helpdesk/agreement/"
JSON = "/projects/helpdesk/agreement.json"


@pytest.fixture
def judged(project: Project) -> Project:
    said = [{"ada": (1, 2, 3), "ben": (1, 2, 3)}, {"ben": (1, 2, 3), "cem": (1, 3, 2)}] * 4
    ranked_campaign(project, said)
    return project


def test_it_says_how_often_two_labelers_agree(judged: Project, researcher: User) -> None:
    html = signed_in(researcher).get(PAGE).content.decode()
    assert "<b>83.3 %</b>" in html
    for word in ("ada", "ben", "cem", "72.6", "77.3", "Does the place decide?"):
        assert word in html


def test_the_json_says_the_same(judged: Project, researcher: User) -> None:
    found = signed_in(researcher).get(JSON).json()
    assert found["pairwise"]["value"] == pytest.approx(20 / 24)
    assert found["pairwise"]["low"] < found["pairwise"]["value"] < found["pairwise"]["high"]
    assert {line["labeler"] for line in found["labelers"]} == {"ada", "ben", "cem"}
    assert found["labelers"][0]["median_active_ms"] == 60_000


def test_a_project_of_ratings_has_a_page_of_its_figures(project: Project, researcher: User) -> None:
    for _ in range(2):
        rated_campaign(project, [{"ada": n % 7 + 1, "ben": n % 6 + 1, "cem": n % 7 + 1} for n in range(12)])
    client = signed_in(researcher)
    html = client.get(PAGE).content.decode()
    assert "overall ratings lie within one" in html
    assert "72 overall ratings by 3 labelers" in html
    assert "Nothing was ranked" not in html
    for word in ("Each two labelers", "By campaign", "Alpha, ordinal", '<span class="labeler">ada</span> with'):
        assert word in html
    found = client.get(JSON).json()
    assert [line["ratings"] for line in found["labelers"]] == [24, 24, 24]
    assert [part["ratings"] for part in found["parts"]["campaign"]] == [36, 36]
    assert found["parts"]["campaign"][0]["ratings_alpha_ordinal"]["value"] is not None
    assert found["pairs"][-1]["ratings_within_one"]["value"] == 1.0


@pytest.mark.parametrize(
    ("value", "low", "high", "says"),
    [
        (0.66, 0.63, 0.69, "less often"),
        (0.68, 0.66, 0.70, "less often"),
        (0.70, 0.68, 0.72, "about as often"),
        (0.80, 0.78, 0.82, "about as often"),
        (0.85, 0.82, 0.88, "more often"),
        (0.60, 0.54, 0.66, "too rough"),
    ],
)
def test_beside_the_paper_the_papers_own_error_counts(value: float, low: float, high: float, says: str) -> None:
    interval = Interval(low=low, high=high, clusters="prompts and labelers")
    assert says in _beside_paper(Figure(value=value).with_interval(interval))


def test_beside_the_paper_it_is_the_interval_for_other_labelers_too_that_counts(
    project: Project, researcher: User
) -> None:
    """Over prompts it is surely below; but of these two labelers alone."""
    best, worst = (1, 2, 3, 4, 5), (5, 2, 3, 4, 1)
    ranked_campaign(project, [{"ada": best, "ben": worst if n % 10 else (4, 2, 3, 5, 1)} for n in range(100)])
    html = signed_in(researcher).get(PAGE).content.decode()
    assert "less often" not in html
    assert "of too few labelers yet to be set beside InstructGPT" in html


def test_the_alpha_of_a_flag_has_an_interval_or_says_why_there_is_none(project: Project, researcher: User) -> None:
    campaign = ranked_campaign(project, [{"zoe": (1, 2)}] * 8, overlap=3)
    for number, task in enumerate(campaign.tasks.all()):
        for name in ("ada", "ben"):
            torn = number % 2 == 0 and (number != 4 or name == "ada")
            say(task, *labelers_of(project, name), (1, 2), flags=[{"hallucination": torn, "misses_task": False}, {}])
    client = signed_in(researcher)
    flags = client.get(JSON).json()["flags"]
    assert flags["hallucination"]["alpha"]["low"] < flags["hallucination"]["alpha"]["value"]
    assert "without variation alpha" in client.get(PAGE).content.decode()


def test_a_project_without_judgments_says_so(project: Project, owner: User) -> None:
    answer = signed_in(owner).get(PAGE)
    assert answer.status_code == 200
    assert "Nothing was judged here yet." in answer.content.decode()
    found = signed_in(owner).get(JSON).json()
    assert found["pairwise"]["value"] is None
    assert found["pairwise"]["reason"]


def test_it_is_narrowed_to_a_campaign_and_a_time(judged: Project, owner: User) -> None:
    other = ranked_campaign(judged, [{"ada": (1, 2), "ben": (2, 1)}])
    found = signed_in(owner).get(JSON, {"campaign": other.pk}).json()
    assert found["pairwise"]["value"] == 0.0
    assert signed_in(owner).get(JSON, {"until": "2020-01-01"}).json()["rankings"] == 0


@pytest.mark.parametrize(
    "query", [{"campaign": "999999"}, {"cohort": "x"}, {"raters": "me"}, {"since": "soon"},
              {"since": "2026-02-01", "until": "2026-01-01"}],
)  # fmt: skip
def test_what_is_not_offered_is_refused_in_a_sentence(judged: Project, owner: User, query: dict[str, str]) -> None:
    if "cohort" in query:
        judged.cohorts.create(name="terse")
    page, json = signed_in(owner).get(PAGE, query), signed_in(owner).get(JSON, query)
    assert (page.status_code, json.status_code) == (400, 400)
    assert json.json()["problems"][0]["place"] in query


def test_a_labeler_is_refused_and_a_stranger_finds_nothing(judged: Project, labeler: User, stranger: User) -> None:
    for user, status in ((labeler, 403), (stranger, 404)):
        for address in (PAGE, JSON):
            assert signed_in(user).get(address).status_code == status
