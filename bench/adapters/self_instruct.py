"""Self-Instruct: seed tasks and user-oriented tasks written by people, and nine answers to each of the latter."""

from collections.abc import Iterator
from pathlib import Path

from bench.adapters.rows import RecordMembers, Source, prompt, read_rows, user_says

WRITER = "self-instruct writer"
USE_CASES = {"classification": "classification", "generation": "generation"}


def app_group(app: str | None) -> str | None:
    """The product that motivated the task: its tasks share a writer's idea, so they stand on one side of a split."""
    return f"self-instruct app:{app}" if app else None


def apps_of_tasks(data: Path) -> dict[str, str | None]:
    """By the id of a user-oriented task; other families reuse these tasks without saying which product they are of."""
    return {row["id"]: row["app"] for row in read_rows(data, "candidates_self_instruct")}


def demos_self_instruct(source: Source) -> Iterator[RecordMembers]:
    for row in source.rows("demos_self_instruct"):
        yield {
            "type": "demonstration",
            "id": f"self-instruct:{row['id']}",
            "prompt": prompt(
                user_says(row["prompt"]), group=app_group(row["app"]), use_case=USE_CASES.get(row["category"] or "")
            ),
            "response": {"text": row["response"], "labeler": WRITER},
        }


def candidates_self_instruct(source: Source) -> Iterator[RecordMembers]:
    """The human answer and those of eight models: nobody has ranked them."""
    for row in source.rows("candidates_self_instruct"):
        yield {
            "type": "candidates",
            "id": f"self-instruct:{row['id']}",
            "prompt": prompt(user_says(row["prompt"]), group=app_group(row["app"])),
            "responses": [
                {
                    "text": one["text"],
                    **({"labeler": WRITER} if one["model"] == "human" else {"generator": one["model"]}),
                }
                for one in row["responses"]
            ],
        }
