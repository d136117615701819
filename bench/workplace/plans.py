"""What a claim reads: every statement of it explained by PostgreSQL as it runs, and nothing of it kept."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction


class Undo(Exception):
    """Takes everything back that was only tried."""


@dataclass
class Read:
    """statements: how many ran. buffers: pages that they touched, planning left out."""

    statements: int = 0
    buffers: int = 0
    slowest: str = ""
    _most: int = 0

    def add(self, sql: str, buffers: int) -> None:
        self.statements += 1
        self.buffers += buffers
        if buffers > self._most:
            self._most, self.slowest = buffers, f"{buffers} buffers: {sql}"


def read_by(act: Callable[[], object]) -> Read:
    """Runs the act and takes it back. Each statement is explained with ANALYZE and BUFFERS in a savepoint of its own,
    and then run."""
    read = Read()

    def explain(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if not many and sql.lstrip().split(" ", 1)[0] in ("SELECT", "UPDATE", "INSERT", "DELETE"):
            with connection.cursor() as cursor:
                raw = cursor.cursor
                raw.execute("SAVEPOINT explained")
                raw.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {sql}", params)
                plan = raw.fetchone()[0]
                raw.execute("ROLLBACK TO SAVEPOINT explained")
            plan = (json.loads(plan) if isinstance(plan, str) else plan)[0]["Plan"]
            read.add(sql, plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])
        return execute(sql, params, many, context)

    try:
        with transaction.atomic():
            with connection.execute_wrapper(explain):
                act()
            raise Undo
    except Undo:
        pass
    return read
