"""OpenAssistant: demonstrations and rankings from conversation trees, and prompts of the prompt lottery.

The group is the conversation tree, so that no conversation stands on both sides of a split. Rankings are the merged
ones that the source publishes: one labeler named "oasst aggregate".
"""

from collections.abc import Iterator

from bench.adapters.rows import RecordMembers, Row, Source, prompt, user_says

ROLES = {"prompter": "user", "assistant": "assistant"}


def chat(row: Row) -> list[dict[str, str]]:
    return [{"role": ROLES[turn["role"]], "content": turn["text"]} for turn in row["history"]]


def demos_oasst(source: Source) -> Iterator[RecordMembers]:
    """The best-ranked human reply to each message of a user."""
    for row in source.rows("demos_oasst"):
        yield {
            "type": "demonstration",
            "id": f"oasst:{row['id']}",
            "prompt": prompt(chat(row), group=f"oasst:{row['tree']}"),
            "response": {"id": row["id"], "text": row["response"], "labeler": "oasst writer"},
        }


def rankings_oasst(source: Source) -> Iterator[RecordMembers]:
    for row in source.rows("rankings_oasst"):
        yield {
            "type": "ranking",
            "id": f"oasst:{row['id']}",
            "prompt": prompt(chat(row), group=f"oasst:{row['tree']}"),
            "responses": [
                {"id": response["message_id"], "text": response["text"], **_author(response["model"])}
                for response in row["responses"]
            ],
            "judged": [
                {"labeler": f"oasst {ranking['annotator']}", "ranks": ranking["ranks"]} for ranking in row["rankings"]
            ],
        }


def _author(model: str) -> RecordMembers:
    return {"labeler": "oasst writer"} if model == "human" else {"generator": model}


def prompts_oasst(source: Source) -> Iterator[RecordMembers]:
    for row in source.rows("prompts_oasst"):
        if not row["prompt"].strip():
            source.leave_out("the prompt is empty")
            continue
        yield {"type": "prompt", "id": row["id"], **prompt(user_says(row["prompt"]))}
