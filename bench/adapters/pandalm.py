"""PandaLM's test set: two answers to a task, compared by the same three people.

A row with several labelers is a ranking of two, so that their judgments stay together.
"""

from collections.abc import Iterator

from bench.adapters.rows import RecordMembers, Source, prompt, ranks_of_choice, user_says
from bench.adapters.self_instruct import app_group


def pairs_pandalm(source: Source) -> Iterator[RecordMembers]:
    for row in source.rows("pairs_pandalm"):
        yield {
            "type": "ranking",
            "id": row["id"],
            "prompt": prompt(user_says(row["prompt"]), group=app_group(row["app"])),
            "responses": [
                {"text": text, "generator": model} for text, model in zip(row["responses"], row["models"], strict=True)
            ],
            "judged": [
                {"labeler": f"pandalm {one['annotator']}", "ranks": ranks_of_choice(one["choice"])}
                for one in row["judgments"]
            ],
        }
