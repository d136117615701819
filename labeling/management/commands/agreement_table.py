"""manage.py agreement_table --data FOLDER: known agreement figures, computed anew beside what they should be."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from labeling.agreement.figures import Figure
from labeling.agreement.reference_table import DATA_SETS, WORKED_EXAMPLES, Known


class Command(BaseCommand):
    help = "Print known agreement figures (worked examples, public data sets) beside the ones computed here."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--data", type=Path, help="folder with the data files (*.jsonl.gz); without it, the papers")

    def handle(self, *args: Any, data: Path | None, **options: Any) -> None:
        wanted = WORKED_EXAMPLES if data is None else WORKED_EXAMPLES + DATA_SETS
        self.stdout.write("| figure | expected | computed | 95 % by prompts | count | convention |")
        self.stdout.write("|---|---|---|---|---|---|")
        wrong = []
        for known in wanted:
            try:
                figure = known.compute(data or Path())
            except FileNotFoundError as error:
                raise CommandError(str(error)) from error
            self.stdout.write(line(known, figure))
            if figure.value is None or abs(figure.value - known.expected) > known.tolerance:
                wrong.append(known.name)
        if wrong:
            raise CommandError("Not as expected: " + "; ".join(wrong) + ".")


def line(known: Known, figure: Figure) -> str:
    """One row of a Markdown table."""
    computed = figure.reason if figure.value is None else f"{figure.value:.6f}"
    interval = f"{figure.interval.low:.3f} to {figure.interval.high:.3f}" if figure.interval else figure.interval_reason
    cells = [known.name, f"{known.expected:.{known.digits}f}", computed, interval or "–", f"{figure.count:,}"]
    return "| " + " | ".join([*cells, known.convention]) + " |"
