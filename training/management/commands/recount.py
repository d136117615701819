"""manage.py recount: compares every counter with what it counts; --mend writes what was counted where that is safe."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from labeling.recounting import Drift, mend
from training.recounting import recount


class Command(BaseCommand):
    help = "Count anew what counters say (open slots, current submissions, sizes). Ends with 1 where one drifted."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--mend", action="store_true", help="write what was counted")

    def handle(self, *args: Any, mend: bool, **options: Any) -> None:
        made = recount()
        for one in made.drift:
            drift = Drift(**one)
            said = f"{drift.what} of row {drift.id}: {drift.holds}, counted {drift.counted}"
            self.stdout.write(f"{said}; mended" if mend and _mended(drift) else said)
        if made.drifted and not mend:
            raise CommandError(f"{made.drifted} drifted. --mend writes what was counted where that is safe.")
        self.stdout.write(f"{made.drifted} drifted; counted in {made.seconds:.1f} s.")


def _mended(drift: Drift) -> bool:
    return mend(drift)
