"""Tulu's human evaluation: two answers to a Self-Instruct task, compared on five steps, each acceptable or not."""

from collections.abc import Iterator

from bench.adapters.rows import RecordMembers, Row, Source, prompt, ranks_of_choice, user_says
from bench.adapters.self_instruct import app_group, apps_of_tasks


def pairs_tulu(source: Source) -> Iterator[RecordMembers]:
    apps = apps_of_tasks(source.data)
    for row in source.rows("pairs_tulu"):
        judgments = {one["annotator"]: one for one in reversed(row["judgments"])}
        repeats = len(row["judgments"]) - len(judgments)
        source.note("judgments left out: the same person had judged the pair before", repeats)
        source.note("judgments whose time has no zone in the source, taken for UTC", len(judgments))
        task = row["instance_id"]
        yield {
            "type": "ranking",
            "id": row["id"],
            "prompt": prompt(user_says(row["prompt"]), group=app_group(apps.get(task)) or f"self-instruct task:{task}"),
            "responses": [
                {"text": text, "generator": model} for text, model in zip(row["responses"], row["models"], strict=True)
            ],
            "judged": [_judged(one) for one in reversed(judgments.values())],
        }


def _judged(one: Row) -> RecordMembers:
    return {
        "labeler": f"tulu {one['annotator']}",
        "submitted_at": f"{one['timestamp']}Z",
        "ranks": ranks_of_choice(one["choice"]),
        "flags": [{"acceptable": acceptable} for acceptable in one["acceptable"]],
        "order": [one["shown_first"], 1 - one["shown_first"]],
        "strength": one["strength"],
    }
