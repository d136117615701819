"""Small records to change and break."""

import gzip
import json
from pathlib import Path
from typing import Any

Members = dict[str, Any]


def prompt(text: str = "What is the capital of France?", **more: Any) -> Members:
    return {"messages": [{"role": "user", "content": text}], **more}


def prompt_record(record_id: str = "p1", text: str = "What is the capital of France?", **more: Any) -> Members:
    return {"type": "prompt", "id": record_id, **prompt(text), **more}


def demonstration(record_id: str = "d1", **more: Any) -> Members:
    return {
        "type": "demonstration",
        "id": record_id,
        "prompt": prompt(),
        "response": {"text": "Paris.", "labeler": "w1"},
        **more,
    }


def ranking(record_id: str = "r1", *, ranks: Any = (1, 2, 3), **more: Any) -> Members:
    return {
        "type": "ranking",
        "id": record_id,
        "prompt": prompt(),
        "responses": [
            {"id": "a", "text": "Paris.", "generator": "m1"},
            {"id": "b", "text": "It is Paris.", "generator": "m2"},
            {"id": "c", "text": "Rome.", "generator": "m1"},
        ],
        "judged": [{"labeler": "l1", "ranks": ranks if isinstance(ranks, dict) else list(ranks)}],
        **more,
    }


def comparison(record_id: str = "c1", **more: Any) -> Members:
    return {
        "type": "comparison",
        "id": record_id,
        "prompt": prompt(),
        "chosen": {"text": "Paris.", "generator": "m1"},
        "rejected": {"text": "Rome.", "generator": "m2"},
        "labeler": "l1",
        **more,
    }


def rating(record_id: str = "q1", **more: Any) -> Members:
    return {
        "type": "rating",
        "id": record_id,
        "prompt": prompt(),
        "response": {"text": "Paris.", "generator": "m1"},
        "judged": [{"labeler": "l1", "ratings": {"overall": 6}, "flags": {"hallucination": False}}],
        **more,
    }


def candidates(record_id: str = "k1", **more: Any) -> Members:
    return {"type": "candidates", "id": record_id, "prompt": prompt(), "responses": ranking()["responses"], **more}


def write(path: Path, *lines: Members | bytes, packed: bool = False) -> Path:
    data = b"".join((line if isinstance(line, bytes) else json.dumps(line).encode()) + b"\n" for line in lines)
    path.write_bytes(gzip.compress(data) if packed else data)
    return path
