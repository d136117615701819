"""Fine-Grained RLHF, QA feedback: four answers to a question about Wikipedia passages, ranked from six choices.

The source compared every pair; an order derived from choices that contradict each other is nobody's order, so these are
left out. Questions about the same article are one group.
"""

from collections.abc import Iterator

from bench.adapters.rows import RecordMembers, Row, Source, prompt, user_says


def rankings_fgrlhf(source: Source) -> Iterator[RecordMembers]:
    """With the passages before the question: what the labelers had before them."""
    for row in _consistent(source):
        yield _ranking(row, asked=f"{row['context']}\n\n{row['prompt']}")


def rankings_fgrlhf_questions(source: Source) -> Iterator[RecordMembers]:
    """The question alone, for models whose context the passages do not fit in. Answers then look like knowledge."""
    for row in _consistent(source):
        source.note("the passages were not carried over")
        yield _ranking(row | {"id": f"{row['id']}:question"}, asked=row["prompt"])


def _consistent(source: Source) -> Iterator[Row]:
    for row in source.rows("rankings_fgrlhf"):
        if not all(ranking["consistent"] for ranking in row["rankings"]):
            source.leave_out("its six choices contradict each other (a cycle or a broken tie)")
            continue
        source.note("a person's corrected version of the first response was not carried over")
        yield row


def _ranking(row: Row, *, asked: str) -> RecordMembers:
    article = row["context"].partition(":")[0].strip()
    group = f"fgrlhf article:{article}" if article else None
    return {
        "type": "ranking",
        "id": row["id"],
        "prompt": prompt(user_says(asked), group=group, use_case="closed_qa"),
        "responses": [{"text": one["text"], "generator": "fgrlhf t5"} for one in row["responses"]],
        "judged": [
            {"labeler": f"fgrlhf {ranking['annotator']}", "ranks": ranking["ranks"]} for ranking in row["rankings"]
        ],
    }
