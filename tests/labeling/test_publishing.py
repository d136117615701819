"""A guideline's next version is begun, edited, checked and published; what is published never changes."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from django.conf import settings

from labeling.comparing import Line, Piece, compare
from labeling.errors import CannotDelete, InvalidWork, WrongState
from labeling.guideline_form import flag_rows, read_content, scale_rows
from labeling.guidelines import FLAGS, OVERALL, guideline_for
from labeling.models import Campaign, Guideline, Project, WorkKind
from labeling.publishing import (
    FLAG_KEY,
    Content,
    begin_version,
    content_of,
    delete_draft,
    problems_of,
    publish,
    save_draft,
)

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]

FULL = Content(body="Rank them.", flags=FLAGS, scales=[OVERALL])


def draft(project: Project, content: Content = FULL, kind: WorkKind = WorkKind.RANKING) -> Guideline:
    made, _ = begin_version(project, kind)
    save_draft(made, content, seen=content_of(made).digest)
    return made


def codes(content: Content, kind: WorkKind = WorkKind.RANKING) -> list[tuple[str, str]]:
    return [(problem.code, problem.place) for problem in problems_of(kind, content)]


def test_the_next_version_begins_as_the_newest_one(project: Project) -> None:
    first = guideline_for(project, WorkKind.RATING)
    begun, made = begin_version(project, WorkKind.RATING)
    assert (begun.version, begun.published_at, made) == (2, None, True)
    assert (begun.body, begun.flags, begun.scales) == (first.body, first.flags, first.scales)


def test_a_draft_that_waits_is_gone_on_with(project: Project) -> None:
    begun, _ = begin_version(project, WorkKind.RANKING)
    again, made = begin_version(project, WorkKind.RANKING)
    assert (again.pk, made) == (begun.pk, False)


def test_a_draft_changes_and_a_published_version_does_not(project: Project) -> None:
    one = draft(project)
    save_draft(one, replace(FULL, body="Rank them well."), seen=FULL.digest)
    publish(one)
    with pytest.raises(WrongState, match="never changes"):
        save_draft(one, FULL, seen=replace(FULL, body="Rank them well.").digest)
    assert Guideline.objects.get().body == "Rank them well."


def test_what_somebody_else_saved_meanwhile_is_not_written_over(project: Project) -> None:
    one = draft(project)
    save_draft(one, replace(FULL, body="Theirs."), seen=FULL.digest)
    with pytest.raises(WrongState, match="Somebody else"):
        save_draft(one, replace(FULL, body="Mine."), seen=FULL.digest)
    assert Guideline.objects.get().body == "Theirs."


def test_the_default_guidelines_could_all_be_published(project: Project) -> None:
    for kind in (WorkKind.RANKING, WorkKind.RATING, WorkKind.DEMONSTRATION):
        assert problems_of(kind, content_of(guideline_for(project, kind))) == []


def test_an_empty_body_is_refused(project: Project) -> None:
    with pytest.raises(InvalidWork, match="body is empty"):
        publish(draft(project, replace(FULL, body=" \n")))
    assert Guideline.objects.get().published_at is None


def test_no_flags_must_be_meant(project: Project) -> None:
    one = draft(project, replace(FULL, flags=[]))
    with pytest.raises(InvalidWork, match="no flags"):
        publish(one)
    publish(one, without_flags=True)
    publish(one)
    assert Guideline.objects.get().published_at == one.published_at


def test_a_demonstration_guideline_needs_no_flags(project: Project) -> None:
    publish(draft(project, Content(body="Write."), WorkKind.DEMONSTRATION))
    assert Guideline.objects.get().published_at


def flag(**parts: str) -> dict[str, str]:
    return {"name": "rude", "label": "Rude tone", "letter": "r"} | parts


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ([flag(), flag(letter="t")], ("flag_name_twice", "flag-1-name")),
        ([flag(), flag(name="other")], ("flag_letter_twice", "flag-1-letter")),
        ([flag(letter="")], ("flag_letter_missing", "flag-0-letter")),
        ([flag(letter="x")], ("flag_letter_elsewhere", "flag-0-letter")),
        ([flag(letter="7", label="7 wonders")], ("flag_letter", "flag-0-letter")),
        ([flag(letter="f", label="Off topic")], ("flag_letter_is_a_key", "flag-0-letter")),
        ([flag(name="Rude tone")], ("flag_name", "flag-0-name")),
        ([flag(label="")], ("flag_unlabelled", "flag-0-label")),
    ],
)
def test_a_flag_that_cannot_be_is_named_at_its_field(
    project: Project, flags: list[dict[str, str]], expected: tuple[str, str]
) -> None:
    assert expected in codes(replace(FULL, flags=flags))
    with pytest.raises(InvalidWork):
        publish(draft(project, replace(FULL, flags=flags)))


def test_the_key_that_opens_the_flags_is_that_of_the_key_table() -> None:
    table = Path(settings.BASE_DIR, "static/js/key-table.js").read_text()
    assert re.search(r'action: "flag", chord: "(.)"', table).group(1) == FLAG_KEY  # type: ignore[union-attr]


def test_overall_quality_is_always_asked_for() -> None:
    scales = [{"name": "helpful", "label": "Helpful", "low": "", "high": "very"}]
    assert codes(replace(FULL, scales=scales)) == [
        ("no_overall", "scale-overall-label"),
        ("scale_incomplete", "scale-helpful-low"),
    ]


def test_what_the_database_cannot_keep_is_not_saved(project: Project) -> None:
    for content in (replace(FULL, body="a\0b"), replace(FULL, changes="x" * 2001), replace(FULL, flags=FLAGS * 4)):
        with pytest.raises(InvalidWork):
            draft(project, content)
    assert Guideline.objects.get().published_at is None


def test_a_draft_is_deleted_unless_something_needs_it(project: Project) -> None:
    delete_draft(draft(project))
    assert not Guideline.objects.exists()
    used = draft(project)
    Campaign.objects.create(project=project, name="Later", kind="ranking", guideline=used)
    with pytest.raises(CannotDelete, match="Later"):
        delete_draft(used)
    other = draft(project, Content(body="Write."), WorkKind.DEMONSTRATION)
    publish(other)
    with pytest.raises(CannotDelete, match="published"):
        delete_draft(other)


def test_the_form_reads_rows_and_names_a_flag_after_its_label() -> None:
    data = {
        "body": "One\r\ntwo\r\n",
        "flag-0-label": "Misses the task!", "flag-0-letter": "M",
        "flag-2-label": "Rude", "flag-2-letter": "r", "flag-2-name": "rude_tone",
        "scale-overall-label": "Overall", "scale-overall-low": "worst", "scale-overall-high": "best",
        "scale-helpful-label": "Helpful", "scale-helpful-low": "not", "scale-helpful-high": "very",
    }  # fmt: skip
    read = read_content(data, WorkKind.RATING, Content())
    assert read.body == "One\ntwo"
    assert read.flags == [
        {"name": "misses_the_task", "label": "Misses the task!", "letter": "m"},
        {"name": "rude_tone", "label": "Rude", "letter": "r"},
    ]
    assert [scale["name"] for scale in read.scales] == ["overall"]
    asked = read_content(data | {"scale-helpful-asked": "yes"}, WorkKind.RATING, read)
    assert [scale["name"] for scale in asked.scales] == ["overall", "helpful"]
    assert len(flag_rows(read, ())) == 5


def test_a_rewritten_line_is_compared_word_by_word() -> None:
    before = Content(body="Same\nRead the prompt twice.\nEnd", flags=[flag()])
    after = Content(body="Same\nRead the prompt once.\nEnd\nMore", flags=[flag(letter="t")])
    found = compare(before, after)
    assert found.lines == [
        Line([Piece("same", "Same")]),
        Line([Piece("same", "Read the prompt "), Piece("del", "twice."), Piece("ins", "once.")]),
        Line([Piece("same", "End")]),
        Line([Piece("ins", "More")]),
    ]
    (row,) = found.flags
    assert ("key r" in row.before, "key t" in row.after) == (True, True)


def test_unchanged_lines_far_from_a_change_are_counted_and_not_shown() -> None:
    text = "\n".join(f"line {number}" for number in range(20))
    found = compare(Content(body=text), Content(body=text + "\nnew"))
    assert [line.skipped for line in found.lines] == [18, 0, 0, 0]
    assert compare(Content(body=text), Content(body=text)).is_empty


STEPS = {"7": "send it as it is", "4": "half of it helps"}


def test_words_at_the_steps_of_a_scale_are_read_kept_and_compared(project: Project) -> None:
    fields = {f"scale-overall-step-{step}": f" {words} " for step, words in STEPS.items()}
    data = {"scale-overall-label": "Overall", "scale-overall-low": "worst", "scale-overall-high": "best"} | fields
    scale = {"name": "overall", "label": "Overall", "low": "worst", "high": "best"}
    read = read_content(data, WorkKind.RATING, Content())
    assert list(read.scales) == [scale | {"steps": STEPS}]
    assert dict(scale_rows(read, [])[0].steps)["4"] == "half of it helps"
    after = compare(replace(FULL, scales=[scale]), replace(FULL, scales=read.scales)).scales[0].after
    assert after == "Overall: 1 worst, 7 best; 4: half of it helps; 7: send it as it is"
    assert codes(replace(FULL, scales=read.scales)) == []


def test_words_at_a_step_that_is_none_or_too_long_are_refused() -> None:
    scale = {"name": "overall", "label": "Overall", "low": "worst", "high": "best"}
    assert codes(replace(FULL, scales=[scale | {"steps": {"8": "more"}}])) == [("scale_step", "scale-overall-label")]
    long = replace(FULL, scales=[scale | {"steps": {"4": "x" * 121}}])
    assert codes(long) == [("text_too_long", "scale-overall-step-4")]
