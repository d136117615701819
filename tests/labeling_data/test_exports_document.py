"""docs/exports.md says of exports what labeling/exporting does."""

import re
from pathlib import Path

import pytest

from labeling.exporting.asked import PARAMETERS
from labeling.exporting.formats import FORMATS
from labeling.exporting.layouts import ID, LAYOUTS, OF_PROMPT
from labeling.records import Kind

pytestmark = pytest.mark.sqlite

TEXT = (Path(__file__).resolve().parent.parent.parent / "docs" / "exports.md").read_text(encoding="utf-8")


def rows(heading: str) -> list[list[str]]:
    section = TEXT.split(f"## {heading}\n")[1].split("\n## ")[0]
    return [row.strip("| ").split(" | ") for row in section.splitlines() if row.startswith("| `") or " | `" in row]


def test_every_parameter_is_described_with_the_kinds_it_says_something_of() -> None:
    said = {
        name: row[2]
        for row in rows("What can be chosen")
        for name in re.findall(r"`(\w+)`", row[0])
    }  # fmt: skip
    assert set(said) == set(PARAMETERS)
    for name, kinds in PARAMETERS.items():
        named = {"all": set(Kind), "all but candidates": set(Kind) - {Kind.CANDIDATES}}.get(said[name])
        if named is None:
            named = {kind for kind in Kind if kind.removesuffix("s") in said[name]}
        assert named == kinds, name


def test_every_layout_is_described_with_its_members() -> None:
    said = {(row[0], row[1].strip("`")): re.findall(r"`(\w+)`", row[2]) for row in rows("Layouts")}
    for (kind, name), layout in LAYOUTS.items():
        if name in ("records", "table"):
            assert ("all", name) in said
        else:
            plural = "candidates" if kind is Kind.CANDIDATES else f"{kind}s"
            members = [member.name for member in layout.members] + (["margin"] if name == "preference" else [])
            assert said[plural, name] == members


@pytest.mark.parametrize("kind", list(Kind))
def test_the_members_of_every_table_are_named_in_their_order(kind: Kind) -> None:
    plural = "candidates" if kind is Kind.CANDIDATES else f"{kind}s"
    for begins, members in (
        ("- every kind", (ID, *OF_PROMPT)),
        (f"- {plural}", LAYOUTS[kind, "table"].members[1 + len(OF_PROMPT) :]),
    ):
        entry = TEXT.split(f"\n{begins}")[1].split("\n- ")[0].split("\n\n")[0]
        assert re.findall(r"`(\w+)`", entry) == [member.name for member in members]


def test_every_format_is_named() -> None:
    assert all(f"`{name}`" in TEXT for name in FORMATS)
