"""docs/correctness.md: every rule, the tests that hold it, and the faults that they were seen to find."""

from pathlib import Path

from tests.rules.faults import FAULTS
from tests.rules.marks import ROOT, Holder, holders
from tests.rules.statements import STATEMENTS

PAGE = ROOT / "docs" / "correctness.md"
OPENING = """# Correctness: rules, tests, planted faults

Made by `python -m tests.rules --write` from the marks on the tests (`@pytest.mark.rule(20)`); a test compares the page
with them. Each rule is something that a training system can get wrong without anybody seeing it in a curve. The faults
are changes of one line or two, each done to a copy of the code by `make trial PART=broken_rules`, which fails if the
tests of the rule do not fail in their own bodies: one that cannot be set up has noticed nothing. Run on 29 November
2026, they saw 99 of 99.
"""


def page() -> str:
    found = holders()
    return "\n".join([OPENING, *(_part(rule, found.get(rule, [])) for rule in STATEMENTS)])


def _part(rule: int, holding: list[Holder]) -> str:
    planted = [f"- {fault.says}" for fault in FAULTS if fault.number == rule]
    tests = [f"- {_link(holder)}" for holder in holding]
    lines = [
        f"## {rule}",
        "",
        STATEMENTS[rule],
        "",
        "Held by",
        "",
        *tests,
        "",
        "Faults that were planted",
        "",
        *planted,
    ]
    return "\n".join(lines) + "\n"


def _link(holder: Holder) -> str:
    words = holder.name.rpartition("::")[2].removeprefix("test_").replace("_", " ")
    return f"[{words}](../{holder.path}){' (in a trial)' if holder.trial else ''}"


def write(path: Path = PAGE) -> None:
    path.write_text(page(), encoding="utf-8")
