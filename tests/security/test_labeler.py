"""A labeler who wants to know what is hidden, to be paid twice, or to keep others from working."""

import re
import threading
from collections import Counter
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from labeling.assigning import MOST_IN_HAND, claim, labeler_of
from labeling.gold import Gold, write_gold
from labeling.models import (
    Assignment,
    Campaign,
    Generator,
    Judgment,
    Labeler,
    Membership,
    Project,
    ProjectToken,
    Role,
    Submission,
    User,
    WorkKind,
)
from labeling.opening import make_tasks
from tests.conftest import make_member
from tests.labeling.work import make_campaign, make_labeler, make_prompt, must_claim, ranked, submit_now
from tests.security.served import Attacker, Served

pytestmark = [pytest.mark.postgres, pytest.mark.redis]
API = "/api/v1/projects/helpdesk/"
TELLS = re.compile(
    r"secret-model|generator|checkpoint|sampling|0\.8125|gold|repeat|occurrence|counted_by|L-other", re.I
)
SEES_OTHERS = ("submissions", "responses", "prompts", "generators", "members", "cohorts", "jobs",
               "checkpoints", "snapshots", "records/rankings", "campaigns", "exports", "webhooks")  # fmt: skip
PAGES_OF_OTHERS = ("overview/", "responses/", "prompts/", "campaigns/", "agreement/", "quality/", "bias/", "people/",
                   "models/", "jobs/", "rounds/", "data/", "review/", "questions/")  # fmt: skip


def token_of(user: User, project: Project) -> str:
    return ProjectToken.make(user=user, project=project, scopes=["label"])


def rank(assignment: dict[str, Any], *ranks: int, **more: Any) -> dict[str, Any]:
    said = {letter: {"rank": place} for letter, place in zip("ABCDEFGHI", ranks, strict=False)}
    return {"key": str(uuid4()), "lease_token": assignment["lease_token"], "responses": said, **more}


def claimed(api: Attacker, campaign: Campaign) -> dict[str, Any]:
    answer = api.send("POST", f"{API}campaigns/{campaign.pk}/claim", {})
    assert answer.status == 200, answer.text
    found: dict[str, Any] = answer.json()["assignment"]
    return found


@pytest.fixture
def api(served: Served, project: Project, labeler: User) -> Attacker:
    return served.with_token(token_of(labeler, project))


# --- what is hidden (13) ----------------------------------------------------------------------------------------------


@pytest.mark.threat(13)
def test_nothing_that_a_labeler_can_fetch_names_a_model_or_what_others_said(
    served: Served, project: Project, labeler: User, api: Attacker
) -> None:
    campaign = make_campaign(project, tasks=3, shown=2, overlap=3)
    submit_now(must_claim(campaign, make_labeler(project, "other")), ranked(1, 2))
    Labeler.objects.update(pseudonym="L-other")
    mine = claimed(api, campaign)
    visitor = served.signed_in(labeler)
    own = f"/projects/helpdesk/tasks/{mine['uuid']}/"
    for path in ("/?all", "/projects/helpdesk/", own, f"{own}skip/", f"{own}ask/", "/projects/helpdesk/my-work/",
                 f"/projects/helpdesk/guidelines/{campaign.guideline_id}/"):  # fmt: skip
        answer = visitor.get(path)
        assert answer.status == 200, path
        assert not TELLS.findall(f"{answer.headers} {answer.text}"), path
        assert not answer.headers["ETag"]
    for path in ("work", "assignments", f"assignments/{mine['uuid']}", ""):
        answer = api.get(f"{API}{path}".rstrip("/"))
        assert answer.status == 200, path
        assert not TELLS.findall(f"{answer.headers} {answer.text}"), path
    assert {api.get(f"{API}{path}").status for path in SEES_OTHERS} == {403}
    assert {visitor.get(f"/projects/helpdesk/{path}").status for path in PAGES_OF_OTHERS} == {403}
    submission = Submission.objects.get().pk
    assert visitor.get(f"/projects/helpdesk/submissions/{submission}/").status == 403
    assert api.get(f"{API}submissions/{submission}").status == 403


@pytest.mark.threat(13)
def test_the_same_task_is_the_same_answer_whoever_wrote_its_responses(
    project: Project, labeler: User, api: Attacker
) -> None:
    """By the ETag and the length, too: a model behind a response, and its numbers, change nothing that is sent."""
    campaign = make_campaign(project, tasks=1, shown=3)
    path = f"{API}assignments/{claimed(api, campaign)['uuid']}"
    before = api.get(path)
    task = campaign.tasks.get()
    another = Generator.objects.create(project=project, name="a-model-with-a-much-longer-name", kind="policy")
    for number, response in enumerate(task.responses.all()):
        response.sampling = {"temperature": 0.8125, "job": number}
        response.external_id = f"big-{number}"
        response.generator = another
        response.save()
    after = api.get(path)
    assert (before.headers["ETag"], before.body) == (after.headers["ETag"], after.body)
    assert api.get(path, If_None_Match=before.headers["ETag"]).status == 304


@pytest.mark.threat(13)
def test_the_order_tells_nothing_of_who_wrote_what(project: Project) -> None:
    """Of two responses, stored one after the other, each stands on the left about as often; within 4 standard
    deviations of a fair coin (once in some 16,000 runs a fair one is outside)."""
    campaign = make_campaign(project, tasks=0, shown=2)
    prompts = [make_prompt(project) for _ in range(40)]
    models = [Generator.objects.create(project=project, name=name, kind="sft") for name in ("old", "new")]
    make_tasks(
        campaign,
        [(prompt, [prompt.responses.create(generator=model, text=f"{model.name} {prompt.pk}") for model in models])
         for prompt in prompts],
    )  # fmt: skip
    Campaign.objects.filter(pk=campaign.pk).update(overlap=4)
    campaign.tasks.update(overlap=4, open_slots=4)
    campaign.refresh_from_db()
    left: Counter[str] = Counter()
    for number in range(4):
        labeler = make_labeler(project, f"labeler {number}")
        while (mine := claim(campaign, labeler)) is not None:
            first = mine.task.responses.get(pk=mine.order[0])
            left[first.generator.name if first.generator else ""] += 1
            submit_now(mine, ranked(1, 2))
    many = left.total()
    assert many == 160
    assert abs(left["new"] - many / 2) < 4 * (many / 4) ** 0.5, left


@pytest.mark.threat(13)
def test_ids_that_a_labeler_meets_are_drawn_and_not_counted(project: Project, api: Attacker) -> None:
    campaign = make_campaign(project, tasks=4, shown=2)
    met = []
    for _ in range(4):
        mine = claimed(api, campaign)
        met += [mine["uuid"], mine["lease_token"]]
        assert set(mine["responses"][0]) == {"letter", "text"}
        api.send("POST", f"{API}assignments/{mine['uuid']}/submit", rank(mine, 1, 2))
    assert {UUID(one).version for one in met} == {4}


def gilded(project: Project) -> Campaign:
    """Of four tasks that are handed out one is gold."""
    campaign = make_campaign(project, tasks=8, overlap=2, shown=3, gold_rate=25)
    first = campaign.tasks.order_by("position")[0]
    write_gold(first, make_member(project, "rita", Role.REVIEWER), Gold(order="A > C"))
    return campaign


@pytest.mark.threat(13)
def test_a_task_whose_answer_is_known_is_answered_like_any_other(
    served: Served, project: Project, labeler: User, api: Attacker
) -> None:
    campaign = gilded(project)
    shapes: dict[bool, set[str]] = {True: set(), False: set()}
    for _ in range(4):
        mine = claimed(api, campaign)
        is_gold = Assignment.objects.get(uuid=mine["uuid"]).occurrence == 1
        told = [served.signed_in(labeler).get(f"/projects/helpdesk/tasks/{mine['uuid']}/")]
        told += [api.get(f"{API}{path}") for path in (f"assignments/{mine['uuid']}", "work")]
        told.append(api.send("POST", f"{API}assignments/{mine['uuid']}/submit", rank(mine, 1, 2, 3)))
        shape = " ".join(f"{one.status} {sorted(one.headers.keys())} {one.text}" for one in told)
        shape = re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}|\b\w{64}\b|Text \d of prompt \d+|What is \d+ times", "", shape)
        shapes[is_gold].add(re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+Z|\d+ today, \d+ left|\"left\":\d+|task \d+", "", shape))
    assert len(shapes[True]) == len(shapes[False]) == 1
    assert shapes[True] == shapes[False]


@pytest.mark.threat(13)
def test_a_task_whose_answer_is_known_takes_no_other_work_so_no_other_time(project: Project, labeler: User) -> None:
    """Milliseconds would tell little here and be wrong now and then: what is asked of the database is counted."""
    campaign = gilded(project)
    worker = labeler_of(Membership.objects.get(user=labeler))
    submit_now(must_claim(make_campaign(project), worker), ranked(1, 2, 3, 4))  # what is asked once is asked here
    asked: dict[bool, set[int]] = {True: set(), False: set()}
    for _ in range(4):
        mine = must_claim(campaign, worker)
        with CaptureQueriesContext(connection) as queries:
            submit_now(mine, ranked(1, 2, 3))
        asked[mine.occurrence == 1].add(len(queries))
    assert asked[True] == asked[False]
    assert len(asked[True]) == 1


# --- leases and submissions (14) --------------------------------------------------------------------------------------


@pytest.mark.threat(14)
def test_nobody_hoards_tasks_one_after_another_or_all_at_once(served: Served, project: Project, labeler: User) -> None:
    campaigns = [make_campaign(project, tasks=2) for _ in range(MOST_IN_HAND + 3)]
    token = token_of(labeler, project)
    together = threading.Barrier(len(campaigns))
    told: list[int] = []

    def grab(campaign: Campaign) -> None:
        together.wait()
        told.append(served.with_token(token).send("POST", f"{API}campaigns/{campaign.pk}/claim", {}).status)

    threads = [threading.Thread(target=grab, args=(one,)) for one in campaigns]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Counter(told) == {200: MOST_IN_HAND, 409: 3}
    assert Assignment.objects.filter(state="live").count() == MOST_IN_HAND
    api = served.with_token(token)
    for campaign in campaigns * 2:
        api.send("POST", f"{API}campaigns/{campaign.pk}/claim", {})
    assert Assignment.objects.count() == MOST_IN_HAND


@pytest.mark.threat(14)
def test_a_submission_that_is_sent_again_is_one(served: Served, project: Project, api: Attacker) -> None:
    campaign = make_campaign(project, tasks=2, shown=2)
    mine = claimed(api, campaign)
    path, body = f"{API}assignments/{mine['uuid']}/submit", rank(mine, 1, 2)
    first = api.send("POST", path, body)
    again = api.send("POST", path, body | {"responses": {"A": {"rank": 2}, "B": {"rank": 1}}})
    assert (first.status, first.json()["repeated"]) == (200, False)
    assert (again.status, again.json()["repeated"]) == (200, True)
    other = api.send("POST", path, rank(mine, 2, 1))
    assert (other.status, other.code) == (409, "already_submitted")
    assert Submission.objects.count() == 1
    assert sorted(Judgment.objects.values_list("rank", flat=True)) == [1, 2]


@pytest.mark.threat(14)
def test_a_submission_that_is_sent_many_times_at_once_is_one(served: Served, project: Project, api: Attacker) -> None:
    campaign = make_campaign(project, tasks=2, shown=2)
    mine = claimed(api, campaign)
    bodies = [rank(mine, 1, 2) for _ in range(6)]
    told: list[int] = []

    def send(body: dict[str, Any]) -> None:
        told.append(served.with_token(api.token).send("POST", f"{API}assignments/{mine['uuid']}/submit", body).status)

    threads = [threading.Thread(target=send, args=(body,)) for body in bodies]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Counter(told) == {200: 1, 409: 5}
    assert Submission.objects.count() == 1


@pytest.mark.threat(14)
def test_another_s_assignment_is_not_there(served: Served, project: Project, api: Attacker) -> None:
    campaign = make_campaign(project, tasks=2, shown=2)
    theirs = must_claim(campaign, make_labeler(project, "other"))
    forged = {"lease_token": str(theirs.lease_token)}
    path = f"{API}assignments/{theirs.uuid}"
    assert api.get(path).status == 404
    assert api.send("POST", f"{path}/submit", rank(forged, 1, 2)).status == 404
    assert api.send("PUT", f"{path}/draft", forged | {"fields": {"note": "x"}}).status == 404
    assert api.send("POST", f"{path}/skip", forged | {"reason": "bored"}).status == 404
    theirs.refresh_from_db()
    assert (theirs.state, theirs.draft) == ("live", {})
    assert not Submission.objects.exists()


@pytest.mark.threat(14)
@pytest.mark.parametrize(
    "responses",
    [
        {"A": {"rank": 1}, "B": {"rank": 2}, "C": {"rank": 3}},
        {"A": {"rank": 1}, "I": {"rank": 2}},
        {"A": {"rank": 1}, "{foreign}": {"rank": 2}},
        {"A": {"rank": 0}, "B": {"rank": 1}},
        {"A": {"rank": 9}, "B": {"rank": 1}},
        {"A": {"rank": 1, "response": "{foreign}"}, "B": {"rank": 2}},
        {"A": {"rank": 1, "ratings": {"overall": 8}}, "B": {"rank": 2}},
        {"A": {"rank": 1, "flags": {"is_staff": True}}, "B": {"rank": 2}},
        {"A": {"rank": 1, "ratings": {"reward": 7}}, "B": {"rank": 2}},
        {"A": {"rank": True}, "B": {"rank": 2}},
        {"A": {"rank": "1"}, "B": {"rank": 1.5}},
        [{"rank": 1}],
    ],
)
def test_what_is_said_of_other_responses_or_in_other_scales_is_refused(
    project: Project, api: Attacker, responses: Any
) -> None:
    campaign = make_campaign(project, tasks=1, shown=2)
    foreign = make_campaign(project, tasks=1, shown=2).tasks.get().responses.all()[0].pk
    mine = claimed(api, campaign)
    body = rank(mine) | {"responses": responses}
    if isinstance(responses, dict):
        body["responses"] = {
            name.replace("{foreign}", str(foreign)): {
                key: foreign if value == "{foreign}" else value for key, value in said.items()
            }
            for name, said in responses.items()
        }
    answer = api.send("POST", f"{API}assignments/{mine['uuid']}/submit", body)
    assert answer.status in (400, 422), answer.text
    assert answer.json()["error"]["message"]
    assert not Submission.objects.exists()
    assert not Judgment.objects.exists()


@pytest.mark.threat(14)
def test_a_hold_that_was_given_back_or_invented_submits_nothing(
    served: Served, project: Project, api: Attacker
) -> None:
    campaign = make_campaign(project, tasks=1, shown=2)
    mine = claimed(api, campaign)
    path = f"{API}assignments/{mine['uuid']}/submit"
    for forged in ({"lease_token": str(uuid4())}, {"corrects": 1}, {"corrects": 7}):
        assert api.send("POST", path, rank(mine, 1, 2) | forged).status == 409
    assert api.send("POST", path, rank(mine, 1, 2) | {"lease_token": "0"}).status in (400, 422)
    for more in ({"labeler": 1}, {"counted": True}, {"submitted_at": "2020-01-01T00:00:00Z"}, {"simulated": True}):
        assert api.send("POST", path, rank(mine, 1, 2) | more).status in (400, 422)
    assert not Submission.objects.exists()


@pytest.mark.threat(14)
def test_by_the_page_it_is_the_same(served: Served, project: Project, labeler: User) -> None:
    campaign = make_campaign(project, tasks=2, shown=2, kind=WorkKind.RANKING)
    mine = must_claim(campaign, labeler_of(Membership.objects.get(user=labeler)))
    theirs = must_claim(campaign, make_labeler(project, "other"))
    visitor = served.signed_in(labeler)
    page, others = (f"/projects/helpdesk/tasks/{one.uuid}/" for one in (mine, theirs))
    held = {"key": str(uuid4()), "lease_token": str(mine.lease_token), "corrects": "0"}
    assert visitor.post(others, held | {"better": "A"}, form_at=page).status == 404
    assert visitor.post(page, held | {"rank-C": "1", "rank-A": "2"}).status == 422
    assert visitor.post(page, held | {"better": "A"}).status == 302
    assert visitor.post(page, held | {"better": "B"}, form_at=page).status == 302
    assert visitor.post(page, held | {"better": "B", "key": str(uuid4())}, form_at=page).status == 409
    assert Submission.objects.count() == 1
