"""manage.py verify_audit: whether the audit log is whole; says which entry is broken and exits with 1."""

import re
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from labeling.audit.recording import link_waiting
from labeling.audit.verifying import Broken, Verified, verify


class Command(BaseCommand):
    help = (
        "Reads the audit log from its first entry and computes every digest again. Prints the number and the digest of"
        " the last entry; kept elsewhere and given back with --known, they show a log that was written anew as a whole."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--known", default="", help="NUMBER:DIGEST, as an earlier run printed it")

    def handle(self, *args: Any, known: str, **options: Any) -> None:
        kept = _read(known) if known else None
        link_waiting()
        try:
            last = verify(known=kept)
        except Broken as broken:
            raise CommandError(f"The audit log is broken. {broken}") from None
        entries = "entry" if last.number == 1 else "entries"
        self.stderr.write(f"The audit log is whole: {last.number:,} {entries}. Keep this line elsewhere, for --known:")
        self.stdout.write(f"{last.number}:{last.digest}")


def _read(text: str) -> Verified:
    found = re.fullmatch(r"(\d{1,18}):([0-9a-f]{64})", text)
    if found is None:
        raise CommandError(f"--known is {text[:100]!r}; expected NUMBER:DIGEST, as verify_audit prints it.")
    return Verified(int(found[1]), found[2])
