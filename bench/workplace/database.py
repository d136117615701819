"""A database of the bench's own, and a campaign of any size in it, written by COPY and INSERT … SELECT.

Prompts and responses are distinct up to MOST_TEXTS tasks; beyond that tasks share them, so that a million tasks have a
million rows and four million responses shown, and the texts still fit on a small disk. Nobody meets two of one prompt.
"""

import hashlib
import json
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import psycopg

ROOT = Path(__file__).resolve().parent.parent.parent
RESPONSES, OVERLAP = 4, 3
MOST_TEXTS = 10_000
WORDS_A_TEXT = 110
TEXT_SEED = "accord bench texts 1"
VOCABULARY = (
    "a the of to and in is for that with it on as by this be are from at or an not can more when which one water "
    "garden letter number answer question river table window winter paper morning village bread stone road teacher "
    "market bridge harvest kitchen engine doctor island forest museum station valley singer painter farmer old new "
    "small long clear quiet warm early simple careful round empty heavy bright open local common useful writes "
    "reads keeps finds grows turns shows brings opens builds carries explains measures returns follows"
)


def at(url: str, name: str) -> str:
    """The same server, another database."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))


@contextmanager
def own_database(server: str, state: Path) -> Iterator[str]:
    """The address of a migrated, empty database that is dropped afterwards."""
    name = f"accord_bench_{os.getpid()}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    try:
        there = {**os.environ, "DATABASE_URL": at(server, name), "ACCORD_MODE": "local", "ACCORD_STATE_DIR": str(state)}
        migrate = [sys.executable, "manage.py", "migrate", "--verbosity", "0"]
        subprocess.run(migrate, cwd=ROOT, env=there, check=True)
        yield at(server, name)
    finally:
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def fill(url: str, *, project: int, campaign: int, generator: int, tasks: int) -> None:
    """The campaign's tasks with their prompts and responses; planner statistics are made at the end."""
    texts = min(tasks, MOST_TEXTS)
    with psycopg.connect(url, autocommit=True) as database:
        # Foreign keys are right by construction; looking each of them up would take most of the time.
        database.execute("SET session_replication_role = replica")
        database.execute("SET maintenance_work_mem = '256MB'")
        _copy_texts(database, project=project, generator=generator, texts=texts)
        # They came with their numbers: who writes the next one gets the number after them.
        for name in ("labeling_prompt", "labeling_response"):
            database.execute(f"SELECT setval(pg_get_serial_sequence('{name}', 'id'), (SELECT max(id) FROM {name}))")
        database.execute(
            "INSERT INTO labeling_task (campaign_id, prompt_id, overlap, open_slots, room, position, returned,"
            " created_at) SELECT %(campaign)s, (n %% %(texts)s) + 1, %(overlap)s, %(overlap)s, 0, n, false, now()"
            " FROM generate_series(0, %(tasks)s - 1) AS n",
            {"campaign": campaign, "texts": texts, "tasks": tasks, "overlap": OVERLAP},
        )
        database.execute(
            "INSERT INTO labeling_taskresponse (task_id, response_id, place)"
            " SELECT task.id, (task.prompt_id - 1) * %(shown)s + place + 1, place"
            " FROM labeling_task AS task CROSS JOIN generate_series(0, %(shown)s - 1) AS place ORDER BY task.id, place",
            {"shown": RESPONSES},
        )
        database.execute("VACUUM ANALYZE")


def _copy_texts(database: psycopg.Connection, *, project: int, generator: int, texts: int) -> None:
    draw = random.Random(TEXT_SEED)
    columns = (
        "id, project_id, messages, use_case, style, origin, group_key, consent, language, split, fingerprint,"
        " external_id, personal_data, created_at"
    )
    with database.cursor() as cursor:
        with cursor.copy(f"COPY labeling_prompt ({columns}) FROM STDIN") as copy:
            for number in range(1, texts + 1):
                said = json.dumps([{"role": "user", "content": _text(draw, 40)}])
                fingerprint = hashlib.sha256(f"bench {number}".encode()).hexdigest()
                copy.write_row(
                    (number, project, said, "other", "plain", "import", f"author {number}", "", "en", "train",
                     fingerprint, "", "[]", "2026-01-01T00:00:00Z")
                )  # fmt: skip
        columns = (
            "id, prompt_id, generator_id, text, sampling, finish_reason, review_state, judged_only, external_id,"
            " created_at"
        )
        with cursor.copy(f"COPY labeling_response ({columns}) FROM STDIN") as copy:
            for number in range(texts * RESPONSES):
                copy.write_row(
                    (number + 1, number // RESPONSES + 1, generator, _text(draw, WORDS_A_TEXT), "{}", "stop",
                     "unreviewed", False, "", "2026-01-01T00:00:00Z")
                )  # fmt: skip


def _text(draw: random.Random, words: int) -> str:
    """Two paragraphs of words, the second a list."""
    drawn = draw.choices(VOCABULARY.split(" "), k=words)
    half = words // 2
    return " ".join(drawn[:half]).capitalize() + ".\n\n- " + " ".join(drawn[half:]) + "\n- " + str(draw.random())


def do_half_of(url: str, *, campaign: int, labeler: int, guideline: int, tasks: int) -> None:
    """As if the labeler alone had worked and submitted the first half of the tasks, and stood behind them."""
    with psycopg.connect(url, autocommit=True) as database:
        database.execute("SET session_replication_role = replica")
        values = {"campaign": campaign, "labeler": labeler, "guideline": guideline, "half": tasks // 2}
        database.execute(
            "INSERT INTO labeling_assignment (uuid, task_id, campaign_id, labeler_id, occurrence, state, lease_token,"
            ' skip_reason, "order", draft, opened_at, created_at)'
            " SELECT gen_random_uuid(), id, campaign_id, %(labeler)s, 0, 'submitted', gen_random_uuid(), '', '[]',"
            " '{}', now(), now() FROM labeling_task WHERE campaign_id = %(campaign)s AND position < %(half)s"
            " AND open_slots > 0 ORDER BY position",
            values,
        )
        database.execute(
            "INSERT INTO labeling_submission (assignment_id, number, key, counted, verdict, note, guideline_id,"
            " submitted_at) SELECT id, 1, gen_random_uuid(), true, '', '', %(guideline)s, now() - interval '1 day'"
            " FROM labeling_assignment WHERE labeler_id = %(labeler)s ORDER BY id",
            values,
        )
        database.execute(
            "UPDATE labeling_assignment SET current_submission_id = said.id FROM labeling_submission AS said"
            " WHERE said.assignment_id = labeling_assignment.id AND labeler_id = %(labeler)s",
            values,
        )
        database.execute(
            "UPDATE labeling_task SET open_slots = open_slots - 1 WHERE campaign_id = %(campaign)s"
            " AND position < %(half)s AND open_slots > 0",
            values,
        )
        database.execute(
            "INSERT INTO labeling_claimcursor (campaign_id, labeler_id, position) VALUES (%(campaign)s, %(labeler)s,"
            " %(half)s - 1)",
            values,
        )
        database.execute("VACUUM ANALYZE")


def new_key() -> str:
    return str(uuid4())
