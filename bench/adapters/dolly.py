"""databricks-dolly-15k: demonstrations, without those that this copy cut short or stripped of their passage."""

from collections.abc import Iterator

from bench.adapters.rows import RecordMembers, Source, prompt, user_says

USE_CASES = {
    "brainstorming": "brainstorming",
    "classification": "classification",
    "closed_qa": "closed_qa",
    "creative_writing": "generation",
    "general_qa": "open_qa",
    "information_extraction": "extract",
    "open_qa": "open_qa",
    "summarization": "summarization",
}


def demos_dolly(source: Source) -> Iterator[RecordMembers]:
    for row in source.rows("demos_dolly"):
        if row["maybe_truncated"]:
            source.leave_out("the response may have been cut (maybe_truncated)")
        elif row["context_missing"]:
            source.leave_out("the passage it speaks of is missing (context_missing)")
        else:
            yield {
                "type": "demonstration",
                "id": row["id"],
                "prompt": prompt(user_says(row["prompt"]), use_case=USE_CASES.get(row["category"] or "")),
                "response": {"text": row["response"], "labeler": "dolly writer"},
            }
