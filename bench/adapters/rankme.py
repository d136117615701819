"""RankME, Likert part: sentences about restaurants, each rated by crowd workers on three criteria from 1 to 6.

The criteria keep their own names, with the scale in them: a 6 here is the best, not the last but one of seven. The two
set-ups (criteria asked for together or one by one) were different tasks and are two records.
"""

from collections.abc import Iterator

from bench.adapters.rows import RecordMembers, Row, Source, prompt, user_says


def ratings_rankme_likert(source: Source) -> Iterator[RecordMembers]:
    for row in source.rows("ratings_rankme_likert"):
        setups = sorted({rating["setup"] for rating in row["ratings"]})
        source.note("records more than rows: a row's two set-ups are two records", len(setups) - 1)
        for setup in setups:
            yield {
                "type": "rating",
                "id": f"{row['id']}:{setup}",
                "prompt": prompt(user_says(row["prompt"]), use_case="generation"),
                "response": {"text": row["response"], "generator": row["model"]},
                "judged": _judged([rating for rating in row["ratings"] if rating["setup"] == setup]),
            }


def _judged(ratings: list[Row]) -> list[RecordMembers]:
    """One entry a worker; its time is that of the last answer, in the source without a zone and taken for UTC."""
    return [
        {
            "labeler": f"rankme {worker}",
            "submitted_at": max(rating["timestamp"] for rating in ratings if rating["annotator"] == worker) + "Z",
            "ratings": {
                f"{rating['criterion']}_1_to_6": rating["value"] for rating in ratings if rating["annotator"] == worker
            },
        }
        for worker in dict.fromkeys(rating["annotator"] for rating in ratings)
    ]
