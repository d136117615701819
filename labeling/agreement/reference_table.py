"""Agreement figures that are known, computed anew: worked examples of papers, and public data sets.

The expected values stand beside the code that computes them, each with the convention that leads to it. The data are
gzipped JSON lines, one record a line; a line ends at \\n only, since texts hold other line separators.
"""

import gzip
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labeling.agreement.alpha import Metric, krippendorff_alpha
from labeling.agreement.figures import Figure
from labeling.agreement.judged import Judged, Repeats
from labeling.agreement.kappa import fleiss_kappa, gwet_ac1
from labeling.agreement.pairwise import pairwise_agreement
from labeling.agreement.rank_correlation import mean_concordance, mean_tau_b
from labeling.agreement.rankings import Ranking

Record = dict[str, Any]

# Krippendorff 2011, section E: twelve units, four observers; 0 stands for "not observed".
KRIPPENDORFF_2011 = ("123321412000", "123322412503", "033323422510", "123324412510")
KRIPPENDORFF_ALPHAS: tuple[tuple[Metric, float], ...] = (("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849))
# Fleiss 1971, table 1: thirty patients, six psychiatrists each, five diagnoses.
FLEISS_1971 = (
    "00060 03003 01401 00006 03030 20400 00402 20310 20040 00006 10050 11040 03300 10050 02031 "
    "00501 30012 51000 02040 10203 00006 01050 02013 20040 10041 05010 40002 02040 10500 00006"
)


@dataclass(frozen=True, kw_only=True)
class Known:
    """A figure that is known, and how to compute it from the folder of data files.

    digits: to how many decimals `expected` is published. convention: what had to be decided to compute it.
    """

    name: str
    expected: float
    compute: Callable[[Path], Figure]
    convention: str
    needs_data: bool = True
    digits: int = 6

    @property
    def tolerance(self) -> float:
        """1e-4, or half a unit of the last published digit where fewer were published."""
        return max(1e-4, 0.5 * 10.0**-self.digits)


def read_records(folder: Path, name: str) -> Iterator[Record]:
    """The records of a data file. Raises FileNotFoundError naming the file."""
    path = folder / f"{name}.jsonl.gz"
    if not path.is_file():
        raise FileNotFoundError(f"There is no {path}; --data names the folder that holds it.")
    with gzip.open(path, "rt", encoding="utf-8", newline="\n") as lines:
        for line in lines:
            yield json.loads(line)


def krippendorff_2011() -> Judged:
    return Judged.of(
        (
            (unit, unit, observer, int(value) or None)
            for observer, row in enumerate(KRIPPENDORFF_2011)
            for unit, value in enumerate(row)
        ),
        levels=(1, 2, 3, 4, 5),
    )


def fleiss_1971() -> Judged:
    """Fleiss gives counts, not who said what: the psychiatrists are unknown."""
    return Judged.of(
        (
            (patient, patient, None, diagnosis)
            for patient, counts in enumerate(FLEISS_1971.split())
            for diagnosis, count in enumerate(counts)
            for _ in range(int(count))
        ),
        levels=range(5),
    )


def pandalm(folder: Path) -> Judged:
    return choices(read_records(folder, "pairs_pandalm"))


def llmfao(folder: Path) -> Judged:
    return choices(read_records(folder, "pairs_llmfao"))


def choices(records: Iterable[Record]) -> Judged:
    """Three answers a pair: the first, the second, or a tie."""
    return Judged.of(
        (
            (record["id"], record.get("prompt_id", record["prompt"]), said["annotator"], said["choice"])
            for record in records
            for said in record["judgments"]
        ),
        levels=(0, "tie", 1),
    )


def tulu(folder: Path, *, repeats: Repeats = "count") -> Judged:
    """Five steps: -2 and -1 the first is (much) better, 0 a tie, 1 and 2 the second."""
    side = {0: -1, "tie": 0, 1: 1}
    return Judged.of(
        (
            (record["id"], record["instance_id"], said["annotator"], side[said["choice"]] * said["strength"])
            for record in read_records(folder, "pairs_tulu")
            for said in (record["judgments"] if repeats == "count" else _first_of_each(record["judgments"]))
        ),
        levels=(-2, -1, 0, 1, 2),
        repeats=repeats,
    )


def _first_of_each(judgments: list[Record]) -> Iterable[Record]:
    return {said["annotator"]: said for said in reversed(judgments)}.values()


def rankme(folder: Path, *, criterion: str, setup: str) -> Judged:
    return Judged.of(
        (
            (record["id"], record["mr"], said["annotator"], said["value"])
            for record in read_records(folder, "ratings_rankme_likert")
            for said in record["ratings"]
            if said["setup"] == setup and said["criterion"] == criterion
        ),
        levels=range(1, 7),
        repeats="count",
    )


def rankings(folder: Path, name: str) -> list[Ranking]:
    return [
        Ranking(prompt=record["id"], labeler=said["annotator"], ranks=said["ranks"])
        for record in read_records(folder, name)
        for said in record["rankings"]
    ]


def dices(folder: Path) -> Judged:
    """This copy names no raters."""
    return Judged.of(
        (
            (record["id"], record["id"], None, said)
            for record in read_records(folder, "safety_dices990")
            for said in record["ratings"]
        ),
        levels=("No", "Unsure", "Yes"),
    )


def multipico(folder: Path, *, gender: str | None = None) -> Judged:
    """Ironic or not; with gender, only what labelers of that gender said."""
    genders = {one["annotator"]: one["gender"] for one in read_records(folder, "groups_multipico_annotators")}
    return Judged.of(
        (
            (record["id"], record["prompt"], said["annotator"], said["value"])
            for record in read_records(folder, "groups_multipico")
            for said in record["ratings"]
            if gender is None or genders.get(said["annotator"]) == gender
        ),
        levels=(0, 1),
    )


def _alpha(metric: Metric, judged: Callable[[Path], Judged]) -> Callable[[Path], Figure]:
    return lambda folder: krippendorff_alpha(judged(folder), metric=metric, by="prompts")


WORKED_EXAMPLES = (
    *(
        Known(
            name=f"Krippendorff 2011, alpha, {metric}",
            expected=expected,
            compute=_alpha(metric, lambda folder: krippendorff_2011()),
            convention="unit 12 has one value and is left out",
            needs_data=False,
            digits=3,
        )
        for metric, expected in KRIPPENDORFF_ALPHAS
    ),
    Known(
        name="Krippendorff 2011, Gwet's AC1",
        expected=0.77544,
        compute=lambda folder: gwet_ac1(krippendorff_2011(), by="prompts"),
        convention="unit 12 has one value: not in the agreement, but in the shares of the values (R package irrCAC)",
        needs_data=False,
        digits=5,
    ),
    Known(
        name="Fleiss 1971, kappa",
        expected=0.430,
        compute=lambda folder: fleiss_kappa(fleiss_1971(), by="prompts"),
        convention="six judgments for each of thirty patients",
        needs_data=False,
        digits=3,
    ),
)

DATA_SETS = (
    Known(
        name="pandalm, alpha, nominal",
        expected=0.850246,
        compute=_alpha("nominal", pandalm),
        convention="a tie is a third answer",
    ),
    Known(
        name="pandalm, pairwise agreement",
        expected=0.910843,
        compute=lambda folder: pairwise_agreement(pandalm(folder), by="prompts"),
        convention="a tie agrees with a tie alone",
    ),
    Known(
        name="llmfao, alpha, nominal",
        expected=0.284618,
        compute=_alpha("nominal", llmfao),
        convention="a tie is a third answer; pairs with one judgment are left out",
    ),
    Known(
        name="tulu, alpha, ordinal, five steps",
        expected=0.294769,
        compute=_alpha("ordinal", tulu),
        convention="pairs judged by several; in six of them one evaluator judged twice, and both count",
    ),
    Known(
        name="rankme, informativeness, joint, alpha, ordinal",
        expected=0.780030,
        compute=_alpha("ordinal", lambda folder: rankme(folder, criterion="informativeness", setup="joint")),
        convention="units are responses; prompts are meaning representations",
    ),
    Known(
        name="creative, tau-b",
        expected=0.624127,
        compute=lambda folder: mean_tau_b(rankings(folder, "rankings_creative"), bootstrap=True),
        convention="mean over pairs of labelers, every pair once",
    ),
    Known(
        name="creative, Kendall's W",
        expected=0.766984,
        compute=lambda folder: mean_concordance(rankings(folder, "rankings_creative"), bootstrap=True),
        convention="mean over prompts",
    ),
    Known(
        name="squality, tau-b",
        expected=0.733333,
        compute=lambda folder: mean_tau_b(rankings(folder, "rankings_squality"), bootstrap=True),
        convention="mean over pairs of labelers, every pair once",
    ),
    Known(
        name="dices990, alpha, nominal",
        expected=0.143250,
        compute=_alpha("nominal", dices),
        convention="Unsure is a third answer",
    ),
    Known(
        name="multipico, alpha, nominal",
        expected=0.272943,
        compute=_alpha("nominal", multipico),
        convention="all labelers",
    ),
    Known(
        name="multipico, alpha, women",
        expected=0.271098,
        compute=_alpha("nominal", lambda folder: multipico(folder, gender="Female")),
        convention="units judged by two or more women",
    ),
    Known(
        name="multipico, alpha, men",
        expected=0.264854,
        compute=_alpha("nominal", lambda folder: multipico(folder, gender="Male")),
        convention="units judged by two or more men",
    ),
)
