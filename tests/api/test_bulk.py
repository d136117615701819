"""Prompts of many senders, under the ids that each of them gave."""

from pathlib import Path

import pytest

from labeling.importing import import_file
from labeling.models import ImportedRecord, Project, Prompt, Response
from tests.api.filled import Api
from tests.labeling_data.samples import write

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]

ASKED = [{"role": "user", "content": "Why does bread rise?"}]
OTHER = [{"role": "user", "content": "Why does bread burn?"}]


def push(api: Api, *prompts: dict[str, object]) -> list[dict[str, object]]:
    status, answer = api.post("prompts", {"prompts": prompts})
    assert status == 200
    lines: list[dict[str, object]] = answer["lines"]
    return lines


def test_a_prompt_is_known_by_each_id_it_came_under(owner_api: Api) -> None:
    first, second, again = push(
        owner_api,
        {"id": "ours-1", "messages": ASKED},
        {"id": "theirs-7", "messages": ASKED},
        {"id": "theirs-7", "messages": ASKED},
    )
    assert [line["outcome"] for line in (first, second, again)] == ["created", "merged", "merged"]
    assert push(owner_api, {"id": "theirs-7", "messages": ASKED})[0]["outcome"] == "merged"
    sent = {"responses": [{"prompt": "theirs-7", "text": "Yeast.", "generator": "elsewhere"}]}
    status, answer = owner_api.post("responses", sent)
    assert (status, answer["lines"][0]["outcome"]) == (200, "created")
    assert Response.objects.get(text="Yeast.").prompt_id == first["id"] == second["id"]
    assert ImportedRecord.objects.filter(external_id="theirs-7").count() == 1


def test_a_file_may_say_more_of_a_prompt_that_came_under_its_id_before(owner_api: Api, tmp_path: Path) -> None:
    push(owner_api, {"messages": ASKED}, {"id": "theirs-7", "messages": ASKED})
    line = {"type": "prompt", "id": "theirs-7", "messages": ASKED, "use_case": "open_qa"}
    for again in (False, True):
        report = import_file(Project.objects.get(), write(tmp_path / "f", line), name="file")
        assert (report.refused, report.unchanged) == (0, int(again))
    changed = import_file(Project.objects.get(), write(tmp_path / "f", {**line, "use_case": "other"}), name="file")
    assert changed.refused == 1


def test_an_id_that_merged_is_taken_for_no_other_text(owner_api: Api) -> None:
    push(owner_api, {"messages": ASKED}, {"id": "theirs-7", "messages": ASKED})
    line = push(owner_api, {"id": "theirs-7", "messages": OTHER})[0]
    assert line["outcome"] == "refused"
    assert "'theirs-7' is the id of another text" in str(line["message"])
    assert not Prompt.objects.filter(messages=OTHER).exists()
