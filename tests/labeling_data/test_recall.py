"""A prepared file that holds what somebody took back is out of reach; and what is chosen by a labeler's weight."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as site_settings
from django.db.models.functions import Now

from labeling.exporting.asked import CannotExport, read_asked
from labeling.exporting.streaming import Stream
from labeling.importing import import_file
from labeling.models import Export, Project, Role, Submission
from labeling.records import Kind
from labeling.transferring import run_waiting
from tests.api.filled import Api, api_of
from tests.conftest import make_member, signed_in
from tests.labeling_data import samples
from tests.labeling_data.samples import prompt_record, ranking, write
from tests.reports.judged import ranked_campaign
from tests.reports.test_weights import ORDERS

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]

TAKEN_BACK = "somebody took back what was in it"


@pytest.fixture
def api(project: Project, tmp_path: Path, settings: Any) -> Api:
    """Of a project with a ranking by two people, a rating and a prompt; all of it older than what is prepared."""
    settings.EXPORTS_DIR, settings.REDIS_URL = tmp_path / "exports", ""
    judged = [{"labeler": name, "ranks": [1, 1, 2]} for name in ("ada", "ben")]
    lines = [ranking("r1", judged=judged), samples.rating(), prompt_record()]
    assert not import_file(project, write(tmp_path / "f", *lines), name="trial").refused
    Submission.objects.update(submitted_at=Now() - timedelta(days=1))
    return api_of(make_member(project, "enno", Role.ENGINEER), project)


def prepared(api: Api, records: str) -> str:
    _, asked = api.post("exports", {"records": records})
    run_waiting()
    assert status_of(api, asked["id"]) == 200
    return str(asked["id"])


def status_of(api: Api, export: str) -> int:
    return int(api.ask("GET", f"exports/{export}/file").status_code)


def take_back(labeler: str) -> None:
    later = Now() + timedelta(seconds=1)  # in a test's transaction PostgreSQL's clock may not have moved
    Submission.objects.filter(assignment__labeler__pseudonym=labeler).update(withdrawn_at=later)


def test_a_file_that_holds_what_was_taken_back_is_not_sent_any_more(api: Api, project: Project) -> None:
    export, rated = prepared(api, "rankings"), prepared(api, "ratings")
    path = Path(site_settings.EXPORTS_DIR) / Export.objects.get(uuid=export).path
    take_back("ada")
    assert (status_of(api, export), status_of(api, rated)) == (404, 200)
    assert not path.exists()
    _, shown = api.get(f"exports/{export}")
    assert (shown["state"], shown["file"], shown["rows"]) == ("done", False, 1)
    assert TAKEN_BACK in shown["error"]
    page = signed_in(make_member(project, "olga", Role.OWNER)).get("/projects/helpdesk/data/")
    assert TAKEN_BACK in page.content.decode()


def test_a_worker_deletes_such_files_by_itself_and_others_stay(api: Api) -> None:
    export, rated = prepared(api, "comparisons"), prepared(api, "ratings")
    take_back("ben")
    run_waiting()
    assert {str(one.uuid): bool(one.path) for one in Export.objects.all()} == {export: False, rated: True}


def test_a_file_made_after_it_was_taken_back_is_without_it_and_stays(api: Api) -> None:
    Submission.objects.filter(assignment__labeler__pseudonym="ada").update(withdrawn_at=Now() - timedelta(hours=1))
    export = prepared(api, "rankings")
    content = api.ask("GET", f"exports/{export}/file").getvalue()
    assert b'"labeler":"ben"' in content
    assert b'"ada"' not in content


# --- by weight --------------------------------------------------------------------------------------------------------


def said_by(project: Project, **query: str) -> set[str]:
    lines = b"".join(Stream(read_asked(project, Kind.RANKING, query))).splitlines()
    return {judged["labeler"] for line in lines for judged in json.loads(line)["judged"]}


def test_judgments_of_who_agrees_too_little_with_the_others_are_left_out_by_weight(project: Project) -> None:
    said = [{"ada": ORDERS[n % 4], "ben": ORDERS[n % 4], "dice": ORDERS[(n * 7 + n // 3) % 4]} for n in range(40)]
    ranked_campaign(project, said, overlap=3)
    assert said_by(project) == {"ada", "ben", "dice"}
    assert said_by(project, weight="0.5") == {"ada", "ben"}
    assert said_by(project, weight="2") == set()
    assert b"".join(Stream(read_asked(project, Kind.COMPARISON, {"weight": "2", "format": "jsonl"}))) == b""


def test_who_was_not_weighed_counts_one(api: Api, project: Project) -> None:
    assert said_by(project, weight="1") == {"ada", "ben"}
    assert said_by(project, weight="1.05") == set()


@pytest.mark.parametrize("weight", ["much", "0.1", "2.5", "-1", "1e0", "٠.5", "0.55555"])
def test_a_weight_that_is_none_is_refused(project: Project, weight: str) -> None:
    with pytest.raises(CannotExport, match="expected the least weight"):
        read_asked(project, Kind.RATING, {"weight": weight})


def test_prompts_have_no_weight(project: Project) -> None:
    with pytest.raises(CannotExport, match="'weight' is not known here"):
        read_asked(project, Kind.PROMPT, {"weight": "1"})
