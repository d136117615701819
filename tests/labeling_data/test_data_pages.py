"""The console's pages about files: choose, count and fetch an export; look into a file and bring it in."""

import re
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from labeling.importing import import_file
from labeling.models import Export, Import, Project, Prompt, Role, User
from labeling.transferring import run_waiting
from tests.conftest import make_member, signed_in
from tests.labeling_data import samples
from tests.labeling_data.samples import ranking, write

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]

DATA = "/projects/helpdesk/data/"
PAGES = (DATA, f"{DATA}export/", f"{DATA}import/")


@pytest.fixture(autouse=True)
def folders(settings: Any, tmp_path: Path) -> None:
    settings.EXPORTS_DIR = tmp_path / "exports"
    settings.IMPORTS_DIR = tmp_path / "imports"
    settings.REDIS_URL = ""


@pytest.fixture
def filled(project: Project, tmp_path: Path) -> Project:
    lines = [samples.prompt_record(), samples.demonstration(), ranking(ranks=[1, 1, 2])]
    assert not import_file(project, write(tmp_path / "f", *lines), name="trial").refused
    return project


def text(answer: Any) -> str:
    return " ".join(re.sub(r"<[^>]+>", "", answer.content.decode()).split())


@pytest.mark.parametrize("page", PAGES)
def test_a_stranger_finds_no_page_and_who_reads_no_data_is_told_so(
    project: Project, stranger: User, labeler: User, page: str
) -> None:
    assert signed_in(stranger).get(page).status_code == 404
    assert signed_in(labeler).get(page).status_code == 403
    assert Client().get(page).status_code == 302


def test_a_choice_is_counted_and_its_first_row_shown(filled: Project, researcher: User) -> None:
    client = signed_in(researcher)
    assert "3 rows would go out." in text(client.get(f"{DATA}export/?records=comparison"))
    answer = client.get(f"{DATA}export/?records=comparison&layout=preference&split=&ties=")
    assert "2 rows would go out." in text(answer)
    assert "{&quot;prompt&quot;:[{&quot;role&quot;" in text(answer)


def test_a_choice_that_cannot_be_is_refused_in_a_sentence(filled: Project, researcher: User) -> None:
    answer = signed_in(researcher).get(f"{DATA}export/?records=ranking&format=parquet&layout=records")
    assert answer.status_code == 400
    assert "whose rows differ in their members" in text(answer)


def test_a_file_is_fetched_by_who_gave_their_password_lately(filled: Project, owner: User) -> None:
    address = f"{DATA}export/file?records=ranking&format=jsonl"
    answer = signed_in(owner).get(address)
    assert (answer.status_code, answer["Content-Type"]) == (200, "application/x-ndjson")
    assert answer.getvalue().count(b"\n") == 1
    owner.set_password("a long word of one's own")  # who has none cannot be asked for it
    owner.save()
    assert signed_in(owner).get(address)["Location"].startswith("/accounts/reauthenticate/")
    assert signed_in(owner).post(f"{DATA}export/", {"records": "ranking"})["Location"].startswith("/accounts/")


def test_an_export_is_prepared_fetched_and_described(filled: Project, owner: User) -> None:
    client = signed_in(owner)
    sent = client.post(f"{DATA}export/", {"records": "comparison", "layout": "preference"})
    assert sent["Location"] == DATA
    assert "being worked on" in text(client.get(DATA))
    run_waiting()
    export = Export.objects.get()
    assert "datasheet" in text(client.get(DATA))
    assert client.get(f"{DATA}exports/{export.uuid}/file").getvalue().count(b"\n") == 2
    sheet = client.get(f"{DATA}exports/{export.uuid}/datasheet.md").content.decode()
    assert sheet.startswith("# Datasheet: comparison of Helpdesk")


def test_a_prepared_file_of_another_project_is_not_there(filled: Project, owner: User, stranger: User) -> None:
    signed_in(owner).post(f"{DATA}export/", {"records": "prompt"})
    run_waiting()
    export = Export.objects.get()
    client = signed_in(stranger)
    for part in ("file", "datasheet.md"):
        assert client.get(f"{DATA}exports/{export.uuid}/{part}").status_code == 404
        assert client.get(f"/projects/elsewhere/data/exports/{export.uuid}/{part}").status_code == 404


def upload(client: Client, body: bytes, **fields: str) -> Any:
    return client.post(f"{DATA}import/", {"file": SimpleUploadedFile("../mine.csv", body), **fields})


def kept_of(answer: Any) -> str:
    found = re.search(r'name="kept" value="([^"]+)"', answer.content.decode())
    assert found
    return found[1]


def test_a_table_is_looked_into_mapped_and_brought_in(project: Project, researcher: User) -> None:
    client = signed_in(researcher)
    answer = upload(client, b"Question,Notes\nWhat?,That\nWho?,Her\n", source="csv")
    assert "become 2 prompts." in text(answer)
    assert not Prompt.objects.exists()
    again = {"kept": kept_of(answer), "source": "csv", "column_prompt": "Question", "column_response": "Notes"}
    assert "become 2 demonstrations." in text(client.post(f"{DATA}import/", again | {"act": "look"}))
    sent = client.post(f"{DATA}import/", again | {"act": "bring"})
    assert client.post(f"{DATA}import/", again | {"act": "bring"})["Location"] == sent["Location"]  # sent twice
    assert "waiting for a worker" in text(client.get(sent["Location"]))
    run_waiting()
    assert "2 demonstrations came in." in text(client.get(sent["Location"]))
    assert Import.objects.get().name == "mine"


def test_refused_lines_are_named_in_the_report(project: Project, researcher: User) -> None:
    client = signed_in(researcher)
    answer = upload(client, b'{"prompt": "Fine"}\n{"text": "<script>"}\n', source="trl")
    assert "line 2: the row has text" in text(answer)
    sent = client.post(f"{DATA}import/", {"kept": kept_of(answer), "source": "trl", "act": "bring"})
    run_waiting()
    report = client.get(sent["Location"])
    assert "Nothing of the file came in." in text(report)
    assert "line 2: the row has text" in text(report)
    assert b"<script>" not in report.content


@pytest.mark.parametrize(
    ("body", "fields", "sentence"),
    [
        (b"PK\x03\x04zip", {"source": "trl"}, "The file is a ZIP archive; unpack it"),
        (b"", {"source": "trl"}, "The file is empty."),
        (b"x", {"source": "xml"}, "expected one of records, oasst"),
        (b"prompt\ncaf\xe9\n", {"source": "csv"}, "it is not UTF-8"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_and_not_kept(
    project: Project, researcher: User, body: bytes, fields: dict[str, str], sentence: str, settings: Any
) -> None:
    answer = upload(signed_in(researcher), body, **fields)
    assert answer.status_code in (400, 413)
    assert sentence in text(answer)
    assert fields["source"] == "xml" or not list(Path(settings.IMPORTS_DIR).rglob("*/*"))


def test_somebody_else_s_kept_file_is_not_looked_into(project: Project, researcher: User, owner: User) -> None:
    kept = kept_of(upload(signed_in(researcher), b'{"prompt": "Mine"}\n', source="trl"))
    answer = signed_in(owner).post(f"{DATA}import/", {"kept": kept, "source": "trl"})
    assert "No file was chosen." in text(answer)


def test_an_address_inside_is_refused_on_the_page_too(project: Project, researcher: User) -> None:
    answer = signed_in(researcher).post(f"{DATA}import/", {"url": "http://127.0.0.1/x", "source": "trl"})
    assert answer.status_code == 422
    assert not Import.objects.exists()


def test_an_owner_says_what_others_may_do_with_the_data(project: Project, owner: User, researcher: User) -> None:
    client = signed_in(owner)
    assert client.post(f"{DATA}licence/", {"licence": "CC-BY-4.0"})["Location"] == DATA
    assert 'value="CC-BY-4.0"' in client.get(DATA).content.decode()
    assert signed_in(researcher).post(f"{DATA}licence/", {"licence": "none"}).status_code == 403
    assert client.post(f"{DATA}licence/", {"licence": "x" * 300}).status_code == 400
    project.refresh_from_db()
    assert project.licence == "CC-BY-4.0"


def test_an_engineer_finds_the_page_in_the_masthead(project: Project) -> None:
    client = signed_in(make_member(project, "enno", Role.ENGINEER))
    assert f'href="{DATA}"' in client.get(DATA).content.decode()
