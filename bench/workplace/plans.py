"""What a claim reads: every statement of it explained by PostgreSQL as it runs, and nothing of it kept."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction

from labeling.prepared import numbered


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


def _explained(raw: Any, sql: str, params: Any, *, for_any: bool = False) -> int:
    """Buffers of a statement that is run and taken back. for_any: under the plan that is made without the values."""
    raw.execute("SAVEPOINT explained")
    if for_any:
        raw.execute("SET LOCAL plan_cache_mode = force_generic_plan")
        raw.execute(f"PREPARE explained AS {numbered(sql)}")
        sql = f"EXECUTE explained({', '.join(['%s'] * len(params))})" if params else "EXECUTE explained"
    raw.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {sql}", params)
    plan = raw.fetchone()[0]
    raw.execute("ROLLBACK TO SAVEPOINT explained")
    if for_any:
        raw.execute("DEALLOCATE explained")
    plan = (json.loads(plan) if isinstance(plan, str) else plan)[0]["Plan"]
    return int(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])


def read_by(act: Callable[[], object]) -> Read:
    """Runs the act and takes it back. Each statement is explained with ANALYZE and BUFFERS in a savepoint of its own,
    and then run. One that the application prepares is explained twice, planned for its values and planned for any (as
    PostgreSQL may once it knows the statement); what is told is the plan that reads more."""
    read = Read()

    def explain(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if not many and sql.lstrip().split(" ", 1)[0] in ("SELECT", "UPDATE", "INSERT", "DELETE", "WITH"):
            with connection.cursor() as cursor:
                buffers = _explained(cursor.cursor, sql, params)
                if getattr(context["cursor"].cursor, "prepares", False):
                    buffers = max(buffers, _explained(cursor.cursor, sql, params, for_any=True))
            read.add(sql, buffers)
        return execute(sql, params, many, context)

    try:
        with transaction.atomic():
            with connection.execute_wrapper(explain):
                act()
            raise Undo
    except Undo:
        pass
    return read
