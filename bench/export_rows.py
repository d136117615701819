"""Rows for bench/export.py: a project full of rankings, written by COPY, and a file of prompts.

Texts are pieces of our own documents, with their quotes and line ends, in the lengths of real ones: prompts of about
200 characters, responses of 490 in the middle and 630 on average, as in the ranked answers of Open-Assistant and Tulu.
"""

import json
import random
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

from django.db import connection

from labeling.models import (
    Campaign,
    Generator,
    Guideline,
    Labeler,
    Membership,
    Project,
    ProjectToken,
    Role,
    User,
    WorkKind,
)

RESPONSES = 4
LABELERS = 40
SEED = 8
START = datetime(2026, 3, 1, tzinfo=UTC)
PORTION = 5000

Row = Sequence[object]


class Texts:
    def __init__(self, seed: int) -> None:
        root = Path(__file__).resolve().parent.parent
        self._corpus = "\n".join(path.read_text(encoding="utf-8") for path in sorted((root / "docs").rglob("*.md")))
        self._random = random.Random(seed)

    def take(self, *, middle: float, spread: float) -> str:
        length = int(min(6000, max(20, middle * self._random.lognormvariate(0, spread))))
        start = self._random.randrange(max(1, len(self._corpus) - length))
        return self._corpus[start : start + length].strip() or "yes"


def fill(*, rankings: int) -> str:
    """A project, bench, and the token that opens it."""
    project = Project.objects.create(name="Bench", slug="bench")
    user = User.objects.create_user(username="bench")
    Membership.objects.create(user=user, project=project, role=Role.ENGINEER)
    guideline = Guideline.objects.create(project=project, kind=WorkKind.RANKING, version=1, body="Rank.")
    campaign, _ = (
        Campaign.objects.create(project=project, name=name, kind=WorkKind.RANKING, guideline=guideline, state="closed")
        for name in ("bench", "warm")
    )
    generators = [Generator.objects.create(project=project, name=f"sft-{n}", kind="sft").pk for n in range(RESPONSES)]
    labelers = [
        Labeler.objects.create(project=project, pseudonym=f"labeler-{n}", source="imported").pk for n in range(LABELERS)
    ]
    texts, dice = Texts(SEED), random.Random(SEED)
    for start in range(1, rankings + 1, PORTION):
        numbers = range(start, min(start + PORTION, rankings + 1))
        _write(project.pk, campaign.pk, guideline.pk, generators, labelers, numbers, texts, dice)
    with connection.cursor() as cursor:
        for name in ("prompt", "response", "task", "taskresponse", "assignment", "submission", "judgment"):
            cursor.execute(
                f"SELECT setval(pg_get_serial_sequence('labeling_{name}', 'id'), max(id)) FROM labeling_{name}"
            )
        cursor.execute("VACUUM ANALYZE")
    return ProjectToken.make(user=user, project=project)


def _write(
    project: int,
    campaign: int,
    guideline: int,
    generators: list[int],
    labelers: list[int],
    numbers: Iterable[int],
    texts: Texts,
    dice: random.Random,
) -> None:
    rows: list[list[Row]] = [[] for _ in range(7)]
    prompts, tasks, responses, shown, assignments, submissions, judgments = rows
    for n in numbers:
        messages = [{"role": "user", "content": texts.take(middle=160, spread=0.7)}]
        prompts.append(
            (n, project, json.dumps(messages), "other", "plain", "import", f"document-{n}", "", "en", "train")
            + (f"{n:064d}", "", "[]", START)
        )
        tasks.append((n, campaign, n, 1, 0, 0, n, False, START))
        ids = [RESPONSES * (n - 1) + place + 1 for place in range(RESPONSES)]
        order = dice.sample(ids, RESPONSES)
        ranks = [dice.choice((1, 2, 3, 4)) for _ in ids]
        dense = {rank: place for place, rank in enumerate(sorted(set(ranks)), start=1)}
        at = START + timedelta(seconds=n)
        assignments.append(
            (n, UUID(int=n), n, campaign, dice.choice(labelers), 0, "submitted", UUID(int=n), "", json.dumps(order))
            + ("{}", n, at)
        )
        submissions.append((n, n, 1, UUID(int=n), True, "", "", 41_000, guideline, at))
        for place, pk in enumerate(ids):
            text = texts.take(middle=490, spread=0.7)
            settings = '{"temperature": 1.0}'
            responses.append(
                (pk, n, generators[place], text, settings, len(text) // 4, "stop", "unreviewed", False, "", START)
            )
            shown.append((pk, n, pk, place))
            judgments.append((pk, n, pk, dense[ranks[place]], '{"overall": 5}', "{}", ""))
    _copy(
        "prompt",
        "id project_id messages use_case style origin group_key consent language split fingerprint external_id"
        " personal_data created_at",
        prompts,
    )
    _copy("task", "id campaign_id prompt_id overlap open_slots room position returned created_at", tasks)
    _copy(
        "response",
        "id prompt_id generator_id text sampling token_count finish_reason review_state judged_only external_id"
        " created_at",
        responses,
    )
    _copy("taskresponse", "id task_id response_id place", shown)
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")  # each points to the other: checked afterwards
    _copy(
        "assignment",
        'id uuid task_id campaign_id labeler_id occurrence state lease_token skip_reason "order" draft'
        " current_submission_id created_at",
        assignments,
    )
    _copy(
        "submission",
        "id assignment_id number key counted verdict note active_ms guideline_id submitted_at",
        submissions,
    )
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = origin")
    _copy("judgment", "id submission_id response_id rank ratings flags note", judgments)


def _copy(name: str, columns: str, rows: Sequence[Row]) -> None:
    with (
        connection.cursor() as cursor,
        cursor.copy(f"COPY labeling_{name} ({', '.join(columns.split())}) FROM STDIN") as copy,
    ):
        for row in rows:
            copy.write_row(row)


def write_prompts(path: Path, number: int) -> None:
    """Records of prompts of different words, in documents of five."""
    texts = Texts(SEED + 1)
    with path.open("w", encoding="utf-8") as file:
        for n in range(number):
            messages = [{"role": "user", "content": f"{n}. {texts.take(middle=160, spread=0.7)}"}]
            record = {"type": "prompt", "id": f"bench-{n}", "messages": messages, "group_key": f"document-{n // 5}"}
            file.write(json.dumps(record, ensure_ascii=False) + "\n")
