"""Whether the chain is whole: every digest computed again, every number there, and its end where the head says."""

from dataclasses import dataclass

from django.db.models import Max

from labeling.audit.chain import BEGINNING, digest_of
from labeling.models.audit import AuditEntry, AuditHead


class Broken(Exception):
    """Says which entry does not hold, and in what."""


@dataclass(frozen=True)
class Verified:
    """number: of the last entry, 0 where there is none. digest: what stands for the whole log, to be kept elsewhere."""

    number: int
    digest: str


def verify(*, known: Verified | None = None) -> Verified:
    """known: what an earlier run said and was kept outside the database; the chain must still lead through it.

    Reads all entries in order, in constant memory, and holds no lock: what is linked meanwhile is passed over.
    Raises Broken at the first that does not hold.
    """
    head = _head()
    last = _follow(head.number, known)
    if last.number != head.number:
        raise Broken(
            f"The log ends with entry {last.number}, and its head says {head.number}: "
            f"{head.number - last.number} at its end are gone."
        )
    if last.number and last.digest != head.digest:
        raise Broken(f"Entry {last.number}, the last, has the digest {last.digest}; the head says {head.digest}.")
    if known is not None and known.number > last.number:
        raise Broken(f"The log ends with entry {last.number}; entry {known.number} was seen before.")
    # In this order: an entry and the head that counts it are written in one transaction.
    newest = AuditEntry.objects.aggregate(newest=Max("number"))["newest"] or 0
    if newest > (counted := _head().number):
        raise Broken(f"The log ends with entry {newest}, and its head says {counted}: entries were added beside it.")
    return last


def _head() -> AuditHead:
    return AuditHead.objects.filter(pk=1).first() or AuditHead(number=0, digest="")


def _follow(until: int, known: Verified | None) -> Verified:
    number, digest = 0, BEGINNING
    for entry in AuditEntry.objects.filter(number__lte=until).order_by("number").iterator(chunk_size=2000):
        if entry.number != number + 1:
            raise Broken(f"Entry {number + 1} is not there; entry {entry.number} follows entry {number}.")
        if entry.previous != digest:
            raise Broken(f"Entry {entry.number} does not follow from entry {number}: it names another digest.")
        number, digest = entry.number, digest_of(entry)
        if entry.digest != digest:
            raise Broken(
                f"Entry {number} was changed: its fields have the digest {digest}, and it says {entry.digest}."
            )
        if known is not None and known.number == number and known.digest != digest:
            raise Broken(f"Entry {number} has the digest {digest}; when it was seen before it had {known.digest}.")
    return Verified(number, digest)
