"""A split is given by group: no author stands on both sides."""

from collections import Counter
from pathlib import Path

import pytest
from django.db import transaction

from labeling.importing import ImportReport, import_file
from labeling.intake import beginning, own_group, personal_data_in, split_of, take_prompt
from labeling.models import Project, Prompt
from labeling.records import PromptText
from tests.labeling_data.samples import prompt_record, write

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]


def taken(project: Project, path: Path) -> ImportReport:
    return import_file(project, path, name="trial", skip_bad=True)


def group_in(split: str) -> str:
    return next(name for name in map(str, range(1000)) if split_of(name) == split)


def test_about_eight_in_ten_groups_train_and_one_in_ten_each_validate_and_test() -> None:
    shares = Counter(split_of(f"group {n}") for n in range(5000))
    # Four standard deviations of a share of 0.1 in 5,000 are 0.017.
    assert {split: pytest.approx(count / 5000, abs=0.017) for split, count in shares.items()} == {
        "train": 0.8,
        "valid": 0.1,
        "test": 0.1,
    }


def test_the_split_of_a_group_never_changes() -> None:
    assert [split_of(name) for name in ("1", "14", "29")] == ["train", "valid", "test"]


def test_prompts_of_one_group_share_its_split(project: Project, tmp_path: Path) -> None:
    lines = [prompt_record(f"p{n}", f"text {n}", group_key=f"g{n % 12}") for n in range(60)]
    taken(project, write(tmp_path / "f", *lines))
    splits: dict[str, set[str]] = {}
    for group, split in Prompt.objects.values_list("group_key", "split"):
        splits.setdefault(group, set()).add(split)
        assert split == split_of(group)
    assert len(splits) == 12
    assert all(len(one) == 1 for one in splits.values())


def test_a_prompt_without_a_group_belongs_to_those_that_begin_as_it_does(project: Project, tmp_path: Path) -> None:
    taken(project, write(tmp_path / "f", prompt_record("p1", "one"), prompt_record("p2", "two")))
    groups = set(Prompt.objects.values_list("group_key", flat=True))
    assert groups == {own_group(beginning([{"role": "user", "content": text}])) for text in ("one", "two")}


def test_a_split_that_is_said_holds_for_its_whole_group(project: Project, tmp_path: Path) -> None:
    group = group_in("train")
    lines = [
        prompt_record("p1", "one", group_key=group, split="test"),
        prompt_record("p2", "two", group_key=group),
        prompt_record("p3", "three", group_key=group, split="train"),
    ]
    report = taken(project, write(tmp_path / "f", *lines))
    assert set(Prompt.objects.values_list("external_id", "split")) == {("p1", "test"), ("p2", "test")}
    assert "a group is never divided" in report.reasons[0][1]
    later = write(tmp_path / "g", prompt_record("p4", "four", group_key=group, split="valid"))
    assert "stands in test" in taken(project, later).reasons[0][1]


def test_a_text_that_is_there_keeps_its_split(project: Project, tmp_path: Path) -> None:
    taken(project, write(tmp_path / "f", prompt_record("p1", "one", split="valid")))
    report = taken(project, write(tmp_path / "g", prompt_record("p2", "one", split="train")))
    assert "in valid; leave the split out" in report.reasons[0][1]


def test_a_refused_prompt_decides_about_no_group(project: Project, tmp_path: Path) -> None:
    group = group_in("train")
    refused = prompt_record("p1", "other", group_key=group, split="test")
    report = taken(
        project, write(tmp_path / "f", prompt_record("p1", "one"), refused, prompt_record("p2", "two", group_key=group))
    )
    assert report.refused == 1
    assert Prompt.objects.get(external_id="p2").split == "train"


def test_a_prompt_comes_in_alone_too(project: Project) -> None:
    text = PromptText([{"role": "user", "content": "Name a fruit."}], origin="labeler", group_key="labeler 7")
    with transaction.atomic():
        first, new = take_prompt(project, text)
        again, new_again = take_prompt(project, text)
    assert (new, new_again) == (True, False)
    assert first == again
    assert (first.origin, first.group_key, first.split) == ("labeler", "labeler 7", split_of("labeler 7"))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("mail me: a.b+c@mail.example.co.uk", ["email"]),
        ("call +1 (555) 123-4567 now", ["phone"]),
        ("SSN 123-45-6789", ["social_security_number"]),
        ("card 4111 1111 1111 1111", ["card_number"]),
        ("from 192.168.0.12", ["ip_address"]),
        ("version 1.2.3.4.5 of 2026-11-23, 10.5 percent, a@b, 1234567890", []),
    ],
)
def test_what_looks_like_personal_data_is_found(text: str, found: list[str]) -> None:
    assert personal_data_in([{"role": "user", "content": text}]) == found
