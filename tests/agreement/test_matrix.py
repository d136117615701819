"""The matrix of reward models by cohorts, against numbers worked by hand."""

from dataclasses import replace

import pytest

from labeling.agreement import matrix
from labeling.agreement.figures import Figure, Interval
from labeling.agreement.matrix import ALL, EQUAL, OWN, TOLD, WRONG, HeldOut, claim_of, matrix_of, told_apart

PEOPLE = {"terse": 8, "warm": 8}


def held_out(cohort: str, prompt: int | str, labeler: int, **scores: list[float]) -> HeldOut:
    """A ranking A above B above C; scores by name of a constant of the module."""
    named = {getattr(matrix, name): given for name, given in scores.items()}
    return HeldOut(
        prompt=prompt, labeler=f"{cohort} {labeler}", cohort=cohort, ranks=[1, 2, 3], scores=named
    )  # fmt: skip


def study(*, prompts: int = 12, labelers: int = 3) -> list[HeldOut]:
    """On every third prompt the told model has one of the three pairs wrong, told the wrong name it has all wrong."""
    return [
        held_out(
            cohort, prompt, labeler,
            ALL=[2, 2, 1], EQUAL=[1, 2, 0], OWN=[3, 2, 1], TOLD=[2, 3, 1] if prompt % 3 == 0 else [3, 2, 1],
            WRONG=[1, 2, 3],
        )
        for cohort in PEOPLE
        for prompt in range(prompts)
        for labeler in range(labelers)
    ]  # fmt: skip


def test_a_tie_tells_nothing_apart_and_not_ranked_is_no_rank() -> None:
    assert list(told_apart([2, 1, 2, None])) == [(1, 0), (1, 2)]


def test_the_accuracies_are_those_worked_by_hand() -> None:
    """Three pairs a ranking. all: A = B above C, so 2.5 of 3. equal: B A C, 2 of 3. told: 2 of 3 on a third of the
    prompts, else 3: 8 of 9."""
    found = matrix_of(study(), people=PEOPLE)
    shares = {model: found.cells[model, "warm"].known() for model in (ALL, EQUAL, OWN, TOLD, WRONG)}
    expected = {ALL: 2.5 / 3, EQUAL: 2 / 3, OWN: 1.0, TOLD: 8 / 9, WRONG: 0.0}
    assert shares == pytest.approx(expected)
    assert found.cells[ALL, "warm"].count == 12 * 3 * 3
    assert found.cells[TOLD, "terse"].interval is not None


def test_differences_are_taken_pair_by_pair() -> None:
    found = matrix_of(study(), people=PEOPLE)
    assert found.difference(OWN, EQUAL, "terse").known() == pytest.approx(1 / 3)
    assert found.difference(TOLD, ALL).known() == pytest.approx(8 / 9 - 2.5 / 3)
    interval = found.difference(TOLD, WRONG).interval
    assert interval is not None
    assert 0.7 < interval.low < 8 / 9 < interval.high


def test_a_model_that_was_asked_of_some_is_compared_on_these() -> None:
    rows = study()
    some = [
        HeldOut(**vars(one) | {"scores": {**one.scores, OWN: one.scores[OWN]} if one.prompt in range(6) else
                {model: said for model, said in one.scores.items() if model != OWN}})
        for one in rows
    ]  # fmt: skip
    found = matrix_of(some, people=PEOPLE)
    assert found.cells[OWN, "warm"].count == 6 * 3 * 3
    assert found.difference(OWN, TOLD, "warm").known() == pytest.approx(1 / 9)


def test_another_labeler_of_the_cohort_stands_in_the_place_of_a_model() -> None:
    """Of three labelers one ties A and B: with either of the others 2.5 of their 3 pairs, and 2 of 2 the other way."""
    rows = [
        HeldOut(
            prompt=prompt, labeler=labeler, cohort="warm", ranks=[1, 1, 2] if labeler == 0 else [1, 2, 3], scores={}
        )
        for prompt in range(10)
        for labeler in range(3)
    ]  # fmt: skip
    figure = matrix_of(rows, people={"warm": 6}).agreement["warm"]
    assert figure.known() == pytest.approx((2 * (2.5 + 2) + 2 * 3) / (2 * (3 + 2) + 2 * 3))
    assert figure.count == 160


@pytest.mark.parametrize(
    ("people", "rows", "missing"),
    [
        ({"warm": 3}, study(), "warm has 3 labelers and nothing is said of fewer than 5: 2 more would do."),
        ({"warm": 8}, study(labelers=1), "2 more would do"),
        ({"warm": 8}, study(prompts=6), "They made 18 rankings of held-out prompts; 12 more would do."),
        ({"shy": 9}, study(), "0 of its labelers are held out"),
    ],
)
def test_what_the_data_cannot_support_is_no_figure(people: dict[str, int], rows: list[HeldOut], missing: str) -> None:
    found = matrix_of(rows, people=people)
    (cohort,) = people
    assert missing in found.cells[ALL, cohort].reason
    assert missing in found.agreement[cohort].reason
    assert found.differences == ()
    assert "Nothing can be claimed" in claim_of(found)


def test_the_claim_says_what_it_rests_on_and_what_it_is_not() -> None:
    claim = claim_of(matrix_of(study(), people=PEOPLE))
    assert "88.9 points" in claim
    assert claim.startswith("It can be claimed of these trained models, each trained once")
    assert "Another training run" in claim
    assert "Not that a policy" in claim


def around(points: float) -> Interval:
    return Interval(low=points - 0.05, high=points + 0.05, clusters="prompts and labelers")


def claimed(named: float, own: float, *, points: float = 0.1) -> str:
    """The claim where the two tests have these p-values."""
    found = matrix_of(study(), people=PEOPLE)
    p_values = {(TOLD, WRONG): named, (OWN, EQUAL): own}
    some = tuple(
        replace(
            one, p_value=Figure(value=p_values.get((one.model, one.than_model), 0.5)),
            figure=Figure(value=points, interval=around(points)),
        )
        for one in found.differences
    )  # fmt: skip
    return claim_of(replace(found, differences=some))


@pytest.mark.parametrize(
    ("named", "own", "said"),
    [
        (0.04, 0.9, ()),
        (0.04, 0.04, ()),
        (0.02, 0.9, ("told the right",)),
        (0.02, 0.04, ("told the right", "learned from its own cohort's rankings")),
        (0.06, 0.01, ("learned from its own cohort's rankings",)),
    ],
)
def test_the_two_tests_of_the_claim_are_held_together(named: float, own: float, said: tuple[str, ...]) -> None:
    claim = claimed(named, own)
    assert [words in claim for words in said] == [True] * len(said)
    assert claim.startswith("It can be claimed" if said else "It cannot be claimed")
    assert ("10.0 points (5.0 to 15.0) fewer" in claimed(named, own, points=-0.1)) == bool(said)


def test_each_cohort_counts_alike_and_one_of_which_the_opposite_was_seen_is_named() -> None:
    """Many pairs of terse, told rightly; few of warm, told wrongly."""
    rows = [
        held_out(cohort, f"{cohort} {prompt}", labeler, TOLD=told, WRONG=told[::-1])
        for cohort, prompts, told in (("terse", 40, [3.0, 2.0, 1.0]), ("warm", 11, [1.0, 2.0, 3.0]))
        for prompt in range(prompts)
        for labeler in range(5)
    ]
    rows += [
        held_out("warm", f"warm also {prompt}", labeler, TOLD=[3.0, 2.0, 1.0], WRONG=[3.0, 1.0, 2.0])
        for prompt in range(10)
        for labeler in range(5)
    ]
    found = matrix_of(rows, people=PEOPLE)
    each = [found.difference(TOLD, WRONG, cohort).known() for cohort in ("terse", "warm")]
    assert each[0] > 0 > each[1]
    assert found.difference(TOLD, WRONG).known() == pytest.approx(sum(each) / 2)
    some = tuple(
        replace(one, p_value=Figure(value=0.001), figure=replace(one.figure, interval=around(one.figure.known())))
        for one in found.differences
        if (one.model, one.than_model) == (TOLD, WRONG)
    )
    assert "though not of warm taken alone" in claim_of(replace(found, differences=some))


def test_a_p_value_and_an_interval_of_a_difference_say_the_same() -> None:
    for one in matrix_of(study(), people=PEOPLE).differences:
        if one.p_value.value is not None and one.figure.interval is not None:
            assert (one.p_value.value < 0.05) == (not one.figure.interval.holds(0.0))


def test_no_difference_is_no_proof_of_likeness() -> None:
    rows = [
        held_out(cohort, prompt, labeler, **dict.fromkeys(("ALL", "EQUAL", "OWN", "TOLD", "WRONG"), [3.0, 2.0, 1.0]))
        for cohort in PEOPLE
        for prompt in range(12)
        for labeler in range(3)
    ]
    assert claim_of(matrix_of(rows, people=PEOPLE)).startswith("It cannot be claimed")


def test_scores_of_another_number_of_responses_are_refused() -> None:
    rows = [*study(), held_out("warm", 99, 0, ALL=[1.0])]
    with pytest.raises(ValueError, match="has 1 scores for the 3 responses of 99"):
        matrix_of(rows, people=PEOPLE)


def test_of_a_cohort_by_a_rule_every_figure_is_of_five_held_out_and_none_is_counted() -> None:
    few = matrix_of(study(labelers=4), people=PEOPLE, by_rule=["warm"])
    assert few.wanting["terse"] == ()
    (said,) = few.wanting["warm"]
    assert said.startswith("Fewer than 5 labelers of warm")
    assert "4" not in said
    assert few.cells[OWN, "warm"].value is None
    enough = study(labelers=5)
    assert matrix_of(enough, people=PEOPLE, by_rule=["warm"]).cells[OWN, "warm"].value == 1.0
    apart = [replace(one, prompt=f"{one.labeler} {one.prompt}") if one.labeler == "warm 4" else one for one in enough]
    found = matrix_of(apart, people=PEOPLE, by_rule=["warm"])
    assert found.cells[OWN, "warm"].value == 1.0
    assert "Fewer than 5" in found.agreement["warm"].reason
    assert matrix_of(apart, people=PEOPLE).agreement["warm"].value is not None
