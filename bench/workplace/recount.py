"""The invariants of the labelers' work, counted again from the rows by plain SQL, apart from the application's code."""

from collections.abc import Mapping

import psycopg

from bench.workplace.database import RESPONSES

RULES = {
    "tasks with more counted submissions than their overlap": """
        SELECT count(*) FROM (
            SELECT task.id FROM labeling_task AS task
            JOIN labeling_assignment AS held ON held.task_id = task.id AND held.occurrence = 0
            JOIN labeling_submission AS said ON said.id = held.current_submission_id AND said.counted
            GROUP BY task.id, task.overlap HAVING count(*) > task.overlap) AS wrong""",
    "tasks whose open slots differ from a recount": """
        SELECT count(*) FROM labeling_task AS task LEFT JOIN (
            SELECT held.task_id, count(*) AS taken FROM labeling_assignment AS held
            LEFT JOIN labeling_submission AS said ON said.id = held.current_submission_id
            WHERE held.occurrence = 0 AND (held.state = 'live' OR said.counted) GROUP BY held.task_id) AS used
        ON used.task_id = task.id WHERE task.open_slots <> task.overlap - coalesce(used.taken, 0)""",
    "labelers with a task twice": """
        SELECT count(*) FROM (SELECT 1 FROM labeling_assignment GROUP BY task_id, labeler_id, occurrence
        HAVING count(*) > 1) AS wrong""",
    "labelers with two tasks in hand": """
        SELECT count(*) FROM (SELECT 1 FROM labeling_assignment WHERE state = 'live' GROUP BY campaign_id, labeler_id
        HAVING count(*) > 1) AS wrong""",
    "submissions stored twice": """
        SELECT count(*) FROM (SELECT 1 FROM labeling_submission GROUP BY assignment_id HAVING count(*) > 1) AS wrong""",
    "submissions without all their judgments": f"""
        SELECT count(*) FROM (SELECT said.id FROM labeling_submission AS said
        LEFT JOIN labeling_judgment AS judged ON judged.submission_id = said.id
        GROUP BY said.id HAVING count(judged.id) <> {RESPONSES}) AS wrong""",
}


def broken_rules(url: str, acknowledged: Mapping[str, str]) -> tuple[dict[str, int], int]:
    """How many rows break each rule, and how many submissions there are. acknowledged: keys of submissions that were
    answered, with the address of their task."""
    with psycopg.connect(url) as database:
        found = {name: _number(database, rule) for name, rule in RULES.items()}
        rows = database.execute(
            "SELECT said.key::text, held.uuid::text FROM labeling_submission AS said"
            " JOIN labeling_assignment AS held ON held.id = said.assignment_id"
        ).fetchall()
    kept: dict[str, str] = dict(rows)
    found["acknowledged submissions that are lost"] = sum(
        kept.get(key, "") not in address or key not in kept for key, address in acknowledged.items()
    )
    return found, len(rows)


def _number(database: psycopg.Connection, rule: str) -> int:
    row = database.execute(rule).fetchone()
    assert row is not None
    return int(row[0])
