"""Two imports at the same time write what one after the other would have written."""

import threading
from pathlib import Path

import pytest
from django.db import connection

from labeling.importing import ImportReport, import_file
from labeling.models import ImportedRecord, Labeler, Project, Prompt, Task
from tests.labeling_data.samples import prompt, ranking, write

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]


def test_the_same_file_given_twice_at_once_is_written_once(project: Project, tmp_path: Path) -> None:
    path = write(tmp_path / "f", *[ranking(f"r{n}", prompt=prompt(f"Question {n}?")) for n in range(300)])
    reports: list[ImportReport] = []
    start = threading.Barrier(3)

    def bring_in() -> None:
        start.wait()
        try:
            reports.append(import_file(project, path, name="twice"))
        finally:
            connection.close()

    threads = [threading.Thread(target=bring_in) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(report.unchanged for report in reports) == [0, 300, 300]
    counts = [table._default_manager.count() for table in (Prompt, Task, ImportedRecord, Labeler)]
    assert counts == [300, 300, 300, 1]
