"""How an entry is hashed: SHA-256 over its fields as canonical JSON, the digest of the entry before it among them."""

import hashlib
import json
from datetime import UTC

from labeling.models.audit import AuditEntry

BEGINNING = "0" * 64
"""What the first entry follows."""


def canonical(entry: AuditEntry) -> bytes:
    """Keys in order, no blanks, UTF-8; the time in UTC to the microsecond. Anybody can compute it again."""
    said = {
        "number": entry.number,
        "at": entry.at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "kind": entry.kind,
        "project": entry.project,
        "user": entry.user,
        "facts": entry.facts,
        "previous": entry.previous,
    }
    return json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def digest_of(entry: AuditEntry) -> str:
    return hashlib.sha256(canonical(entry)).hexdigest()
