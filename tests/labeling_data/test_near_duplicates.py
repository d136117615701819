"""Prompts that are nearly one stand on one side of the split, unless the importer says otherwise."""

import pytest

from labeling.intake import take_prompt
from labeling.models import Project
from labeling.records import PromptText

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]


def text(content: str, *, split: str = "") -> PromptText:
    return PromptText(messages=[{"role": "user", "content": content}], split=split)


def test_white_space_case_and_a_long_beginning_decide_no_split(project: Project) -> None:
    for number in range(30):
        question = f"Explain gravity to a {number} year old, with examples and without formulas. " * 4
        for other in (question, question.upper(), question.strip() + "\n", question + "Thanks!"):
            take_prompt(project, text(other))
    splits: dict[str, set[str]] = {}
    for prompt in project.prompts.all():
        splits.setdefault(prompt.messages[0]["content"].split()[4], set()).add(prompt.split)
    assert len(splits) == 30
    assert all(len(found) == 1 for found in splits.values())
    assert len({split for found in splits.values() for split in found}) > 1


def test_short_prompts_that_differ_in_a_word_are_groups_of_their_own(project: Project) -> None:
    first, _ = take_prompt(project, text("Name a tree."))
    second, _ = take_prompt(project, text("Name a bird."))
    assert first.group_key != second.group_key


def test_a_split_that_is_named_is_kept_for_a_prompt_that_is_nearly_another(project: Project) -> None:
    first, _ = take_prompt(project, text("Name a tree.", split="train"))
    second, new = take_prompt(project, text("Name a tree. ", split="test"))
    assert (first.split, second.split, new) == ("train", "test", True)
    assert first.group_key != second.group_key
