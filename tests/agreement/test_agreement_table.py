"""Figures that are known: worked examples of papers, public data sets, and the command that prints them."""

import io
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from labeling.agreement import krippendorff_alpha
from labeling.agreement.reference_table import DATA_SETS, WORKED_EXAMPLES, Known, tulu
from labeling.management.commands import agreement_table

DATA = Path(__file__).parents[3] / "shared" / "data"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason=f"{DATA} is not there")


@pytest.mark.parametrize("known", WORKED_EXAMPLES, ids=lambda known: known.name)
def test_worked_examples_come_out_as_published(known: Known) -> None:
    assert known.compute(Path()).known() == pytest.approx(known.expected, abs=known.tolerance)


@pytest.mark.data
@needs_data
@pytest.mark.parametrize("known", DATA_SETS, ids=lambda known: known.name)
def test_data_sets_come_out_as_known(known: Known) -> None:
    figure = known.compute(DATA)
    assert known.tolerance == 1e-4
    assert figure.known() == pytest.approx(known.expected, abs=known.tolerance)
    assert figure.interval is not None
    assert figure.interval.holds(known.expected)


@pytest.mark.data
@needs_data
def test_counting_an_evaluator_twice_is_what_makes_tulus_figure() -> None:
    once = krippendorff_alpha(tulu(DATA, repeats="refuse"), metric="ordinal")
    assert once.known() == pytest.approx(0.319750, abs=1e-4)


def printed(**options: object) -> str:
    out = io.StringIO()
    call_command("agreement_table", stdout=out, **options)
    return out.getvalue()


def test_the_command_prints_the_worked_examples_without_any_data() -> None:
    lines = printed().splitlines()
    assert len(lines) == 2 + len(WORKED_EXAMPLES)
    assert "| Fleiss 1971, kappa | 0.430 | 0.430245 |" in lines[-1]


@pytest.mark.data
@needs_data
def test_the_command_prints_the_whole_table() -> None:
    assert "| pandalm, alpha, nominal | 0.850246 | 0.850246 |" in printed(data=DATA)


def test_the_command_names_a_folder_without_data(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"There is no .*pairs_pandalm.jsonl.gz"):
        printed(data=tmp_path)


def test_the_command_fails_where_a_figure_is_not_as_known(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = Known(name="wrong", expected=0.5, compute=WORKED_EXAMPLES[0].compute, convention="", needs_data=False)
    monkeypatch.setattr(agreement_table, "WORKED_EXAMPLES", (wrong,))
    with pytest.raises(CommandError, match="Not as expected: wrong"):
        printed()
