"""Faults of a round that tells cohorts apart, and the tests that must notice each: `make trial PART=broken_told`."""

from tests.planted_faults import Change, Fault

TOLD, SQUARE, AUDIENCE, ORIGINS, WAITING, TASKS = (
    f"tests/{name}.py"
    for name in (
        "training/test_told_evaluation", "training/test_two_by_two", "training/test_audience",
        "training/test_origins", "training/test_waiting", "labeling/test_browse_tasks",
    )
)  # fmt: skip


def _fault(number: int, says: str, file: str, old: str, new: str, tests: str, those: str = "") -> Fault:
    return Fault(number, says, (Change(file, old, new),), (tests,), those)


FAULTS = (
    _fault(1, "what was told is dropped when responses are taken in", "training/settling.py",
           "**({TOLD: told} if (told := _told(row, job)) else {}),", "", TOLD, "TestWhatIsKept"),
    _fault(2, "a key that was written with a number stays with it", "training/settling.py",
           "return asked.get(row.generator, row.condition)", "return row.condition", TOLD, "with_two_texts"),
    _fault(3, "the raters of a square are swapped", "training/two_by_two.py",
           "(_raters(found, one.told), _raters(found, other.told)), beside)",
           "(_raters(found, other.told), _raters(found, one.told)), beside)", SQUARE),
    _fault(4, "the interaction has the other sign", "training/two_by_two.py",
           "return interaction(_cells(first, pair), _cells(second, pair))",
           "return interaction(_cells(second, pair), _cells(first, pair))", SQUARE),
    _fault(5, "several squares are not held together", "training/two_by_two.py",
           "zip(pairs, adjusted_by_holm(tests), strict=True)", "zip(pairs, [one.value for one in tests], strict=True)",
           SQUARE),
    _fault(6, "fewer than five raters are told of", "training/two_by_two.py",
           "if any(fewest_raters(found.said, [cell]) < FEWEST_SHOWN for cell in cells) or _few_share(found, pair):",
           "if any(fewest_raters(found.said, [cell]) < 1 for cell in cells):", SQUARE),
    _fault(7, "raters of both cohorts speak for each", "training/verdicts.py",
           "~found.cohorts[second] for name, second in ((one, other), (other, one))]\n    ratings",
           "found.cohorts[name] for name, second in ((one, other), (other, one))]\n    ratings", SQUARE,
           "rater_of_both"),
    _fault(8, "a loss of shared quality is not said", "training/two_by_two.py",
           "self.shared.interval.low > -MARGIN", "self.shared.interval.low > -7", SQUARE),
    _fault(9, "one cohort alone narrows no rankings", "training/audience.py",
           'if self.mode == "alone" and kind == "rankings":', 'if self.mode == "nobody" and kind == "rankings":',
           AUDIENCE, "alone"),
    _fault(10, "a cohort of four is learned from", "training/voices.py",
           "return self.labelers < FEWEST_SHOWN", "return self.labelers < 1", AUDIENCE, "TestTheReward or hardly"),
    _fault(11, "a renamed cohort changes the frozen key", "training/audience.py",
           '"among": list(self.cohorts), "keys": list(self.keys)}', '"among": list(self.cohorts)}', AUDIENCE, "frozen"),
    _fault(12, "an external model of nine answers is compared", "training/externals.py",
           "if common < FEWEST_ANSWERED:", "if common < 1:", TOLD, "TestExternalModels"),
    _fault(13, "models are asked prompts that an external one did not answer", "training/contenders.py",
           'return {"answered_by": tuple(one.pk for one in self.external)} if self.external else {}', "return {}", TOLD,
           "TestExternalModels"),
    _fault(14, "what an import calls a condition makes an author", "training/authors.py",
           '__has_keys": ["job", TOLD]', '__has_keys": [TOLD]', TOLD, "TestWhatIsKept"),
    _fault(15, "a labeler reads the condition behind the response", "labeling/screens.py",
           "    return [by_id[pk] for pk in assignment.order]\n",
           "    told = Response.objects.in_bulk(assignment.order)\n"
           "    return [f\"{by_id[pk]} condition {told[pk].sampling.get('condition')}\" for pk in assignment.order]\n",
           TOLD, "find_nothing"),
    _fault(16, "the card keeps silent of who withdrew from a cohort that was told", "training/origins.py",
           "        names |= _withdrawn_from_told(snapshot)\n", "", ORIGINS, "told_apart"),
    _fault(17, "a round for one cohort alone waits for everybody's rankings", "training/waiting.py",
           "if query.cohort is not None:", "if False:", WAITING, "alone"),
    _fault(18, "pseudonyms stand beside work that is kept for an answer", "labeling/browsing/edition.py",
           "if not task.campaign.kept_by_rule:", "if True:", TASKS, "numbered"),
)  # fmt: skip
