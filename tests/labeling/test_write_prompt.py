"""A labeler writes a prompt: it becomes a prompt of the project, once, under its author."""

from typing import Any
from uuid import uuid4

import pytest

from labeling.datasets import records_of
from labeling.errors import AlreadySubmitted, InvalidWork
from labeling.forms import fields_said
from labeling.intake import split_of, take_prompt
from labeling.models import Assignment, Campaign, Labeler, Project, Prompt, Submission, User, WorkKind
from labeling.opening import make_tasks
from labeling.prompt_writing import written_in
from labeling.records import Kind, PromptText, write_record
from labeling.written_prompts import like_so_far
from tests.conftest import signed_in
from tests.labeling.conftest import Desk, at_desk
from tests.labeling.work import make_campaign, make_labeler, must_claim, submit_now, written

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]

FEW_SHOT = {
    "style": "few_shot",
    "instruction": "Say it in one word.",
    "input_1": "not hot",
    "output_1": "cold",
    "input_2": "not big",
    "output_2": "small",
    "query": "not old",
}


@pytest.fixture
def campaign(project: Project) -> Campaign:
    return make_campaign(project, kind=WorkKind.PROMPT, quota=50)


@pytest.fixture
def ada(project: Project) -> Labeler:
    return make_labeler(project, "ada")


def refused(assignment: Assignment, **work: str) -> list[tuple[str, str]]:
    """(code, place) of each problem."""
    with pytest.raises(InvalidWork) as refusal:
        submit_now(assignment, written(**work))
    assert not assignment.submissions.exists()
    return [(problem.code, problem.place) for problem in refusal.value.problems]


def test_it_becomes_a_prompt_of_its_author(campaign: Campaign, ada: Labeler) -> None:
    outcome = submit_now(must_claim(campaign, ada), written("  What is a fjord?\n", use_case="open_qa"))
    prompt = Prompt.objects.get()
    assert prompt.messages == [{"role": "user", "content": "What is a fjord?"}]
    assert (prompt.style, prompt.use_case, prompt.origin) == ("plain", "open_qa", "labeler")
    assert (prompt.group_key, prompt.split) == (ada.pseudonym, split_of(ada.pseudonym))
    assert prompt.submission == outcome.submission
    assert outcome.submission.counted


def test_a_few_shot_prompt_is_one_text_with_its_examples(campaign: Campaign, ada: Labeler) -> None:
    submit_now(must_claim(campaign, ada), written(**FEW_SHOT))
    assert Prompt.objects.get().last_turn == (
        "Say it in one word.\n\nInput: not hot\nOutput: cold\n\n"
        "Input: not big\nOutput: small\n\nInput: not old\nOutput:"
    )


def test_a_user_based_prompt_keeps_the_use_case_it_was_written_for(campaign: Campaign, ada: Labeler) -> None:
    line = "Turn notes of meetings into lists of tasks"
    outcome = submit_now(must_claim(campaign, ada), written("Notes: buy tea.", style="user_based", use_line=line))
    assert outcome.submission.note == line
    assert Prompt.objects.get().last_turn == "Notes: buy tea."


def test_a_conversation_may_go_before_it(campaign: Campaign, ada: Labeler) -> None:
    submit_now(must_claim(campaign, ada), written("And in winter?", said_1="Is it cold there?", replied_1="Mildly."))
    assert [message["role"] for message in Prompt.objects.get().messages] == ["user", "assistant", "user"]


@pytest.mark.parametrize(
    ("fields", "problems"),
    [
        ({"text": " "}, [("text_empty", "text")]),
        ({"text": "a", "style": "haiku"}, [("style_missing", "style")]),
        ({"text": "a", "style": ""}, [("style_missing", "style")]),
        ({"text": "a", "use_case": ""}, [("use_case_missing", "use_case")]),
        ({"text": "a", "use_case": "spying"}, [("use_case_missing", "use_case")]),
        ({"text": "a", "style": "user_based"}, [("use_line_missing", "use_line")]),
        ({"text": "a", "style": "user_based", "use_line": "x" * 301}, [("text_too_long", "use_line")]),
        ({"text": "a", "said_1": "b"}, [("turn_half", "replied-1")]),
        ({"text": "a", "replied_2": "b"}, [("turn_half", "said-2")]),
        ({"text": "a" * 20_001}, [("text_too_long", "")]),
        ({"text": "a\0"}, [("text_unstorable", "text")]),
        ({**FEW_SHOT, "input_2": "", "output_2": ""}, [("examples_missing", "input-2")]),
        ({**FEW_SHOT, "output_2": ""}, [("example_half", "output-2")]),
        ({**FEW_SHOT, "instruction": "", "query": ""}, [("text_empty", "instruction"), ("text_empty", "query")]),
    ],
)
def test_what_is_missing_is_said_at_its_place(
    campaign: Campaign, ada: Labeler, fields: dict[str, str], problems: list[tuple[str, str]]
) -> None:
    assert refused(must_claim(campaign, ada), **fields) == problems
    assert not Prompt.objects.exists()


@pytest.mark.parametrize(
    "work",
    [
        written("What is a fjord?"),
        written(**FEW_SHOT),
        written(**{**FEW_SHOT, "instruction": "Begin so:\n\nInput: a\nOutput: b", "query": "c\nOutput: d"}),
        written("Notes.", style="user_based", use_line="Lists", said_1="a", replied_1="b", said_2="c", replied_2="d"),
    ],
)
def test_the_form_that_is_shown_again_makes_the_same_prompt(campaign: Campaign, ada: Labeler, work: Any) -> None:
    submission = submit_now(must_claim(campaign, ada), work).submission
    again = fields_said(submission, [], WorkKind.PROMPT)
    text = again.pop("text", "")
    assert written_in(again, text) == written_in(work.writing, work.text)


def test_words_that_are_in_the_project_already_are_refused_and_not_shown(
    project: Project, campaign: Campaign, ada: Labeler
) -> None:
    submit_now(must_claim(campaign, make_labeler(project, "ben")), written("What is a fjord?"))
    assert refused(must_claim(campaign, ada), text="What is a fjord?") == [("prompt_exists", "text")]
    assert Prompt.objects.count() == 1


def test_what_begins_like_a_prompt_of_ones_own_is_asked_about_once(campaign: Campaign, ada: Labeler) -> None:
    long = "Write a letter to my landlord about the damp in the hall of the house. " * 5
    submit_now(must_claim(campaign, ada), written(long + "Be kind."))
    again = must_claim(campaign, ada)
    assert refused(again, text=long + "Be firm.") == [("prompt_like_another", "sure-near")]
    assert submit_now(again, written(long + "Be firm.", sure_near="yes")).submission.counted


def test_personal_data_are_asked_about_and_stay_marked(campaign: Campaign, ada: Labeler) -> None:
    text = "Write to mia@example.org that I am late."
    assignment = must_claim(campaign, ada)
    assert refused(assignment, text=text) == [("personal_data", "sure-personal")]
    submit_now(assignment, written(text, sure_personal="yes"))
    assert Prompt.objects.get().personal_data == ["email"]


def test_a_correction_within_the_window_takes_its_place(project: Project, campaign: Campaign, ada: Labeler) -> None:
    assignment = must_claim(campaign, ada)
    first = submit_now(assignment, written("What is a fjord?")).submission
    second = submit_now(assignment, written("What is a moor?"), corrects=1).submission
    assert texts_exported(project) == ["What is a moor?"]
    back = submit_now(assignment, written("What is a fjord?"), corrects=2).submission
    assert texts_exported(project) == ["What is a fjord?"]
    assert (first.number, second.number, back.number) == (1, 2, 3)
    assert Prompt.objects.count() == 2


def exported(project: Project) -> list[dict[str, Any]]:
    return [write_record(record) for record in records_of(project, Kind.PROMPT)]


def texts_exported(project: Project) -> list[str]:
    return [record["messages"][-1]["content"] for record in exported(project)]


def test_it_goes_out_with_its_origin_and_its_author(project: Project, campaign: Campaign, ada: Labeler) -> None:
    submit_now(must_claim(campaign, ada), written("What is a fjord?"))
    (one,) = exported(project)
    assert (one["origin"], one["group_key"]) == ("labeler", ada.pseudonym)


def test_once_work_was_made_of_it_it_is_not_changed(project: Project, campaign: Campaign, ada: Labeler) -> None:
    assignment = must_claim(campaign, ada)
    submit_now(assignment, written("What is a fjord?"))
    make_tasks(make_campaign(project, kind=WorkKind.DEMONSTRATION, tasks=0), [(Prompt.objects.get(), [])])
    with pytest.raises(AlreadySubmitted, match="no longer be corrected"):
        submit_now(assignment, written("What is a moor?"), corrects=1)


def test_a_surplus_prompt_is_kept_and_goes_nowhere(project: Project, campaign: Campaign, ada: Labeler) -> None:
    outcome = submit_now(must_claim(campaign, ada), written("What is a fjord?"))
    Submission.objects.filter(pk=outcome.submission.pk).update(counted=False)
    assert exported(project) == []
    assert Prompt.objects.exists()


# --- the page ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def writing_desk(campaign: Campaign, labeler: User) -> Desk:
    return at_desk(labeler, campaign)


PLAIN = {"style": "plain", "use_case": "open_qa", "text": "What is a fjord?"}


def form(desk: Desk, **fields: str) -> dict[str, str]:
    return desk.form() | {"key": str(uuid4())} | PLAIN | fields


def test_the_form_is_shown_and_taken_without_script(writing_desk: Desk) -> None:
    page = writing_desk.client.get(writing_desk.page)
    assert page.status_code == 200
    assert 'name="input-8"' in page.content.decode()
    assert writing_desk.client.post(writing_desk.page, form(writing_desk)).status_code == 302
    assert Prompt.objects.get().last_turn == "What is a fjord?"


def test_what_was_typed_stays_when_it_is_refused(writing_desk: Desk) -> None:
    sent = form(writing_desk, text="Write to mia@example.org.", style="user_based", use_line="Letters")
    answer = writing_desk.client.post(writing_desk.page, sent)
    html = answer.content.decode()
    assert answer.status_code == 422
    assert "Write to mia@example.org." in html
    assert 'value="Letters"' in html
    assert 'name="sure-personal"' in html.split("data-sure=")[2]
    assert "hidden" not in html.split('data-sure="sure-personal"')[1][:10]


def test_the_submitted_prompt_is_shown_for_correction(writing_desk: Desk) -> None:
    writing_desk.client.post(writing_desk.page, form(writing_desk))
    html = writing_desk.client.get(writing_desk.page).content.decode()
    assert "What is a fjord?</textarea>" in html
    assert "Submit the correction" in html


def test_its_queue_names_what_was_written(writing_desk: Desk) -> None:
    writing_desk.client.post(writing_desk.page, form(writing_desk))
    html = writing_desk.client.get("/projects/helpdesk/").content.decode()
    assert "What is a fjord?" in html


def test_a_stranger_finds_nothing(writing_desk: Desk, stranger: User) -> None:
    assert signed_in(stranger).get(writing_desk.page).status_code == 404


def test_fields_of_prompts_are_no_fields_of_other_work(project: Project, labeler: User) -> None:
    desk = at_desk(labeler, make_campaign(project))
    answer = desk.client.post(desk.page, desk.form(rank_A="1", rank_B="2") | {"use_line": "Lists"})
    assert answer.status_code == 422
    assert "not a field of this form" in answer.content.decode()


def test_words_that_came_in_from_a_file_are_known(project: Project, campaign: Campaign, ada: Labeler) -> None:
    long = "Write a letter to my landlord about the damp in the hall of the house. " * 5
    take_prompt(project, PromptText([{"role": "user", "content": long.strip()}]))
    assignment = must_claim(campaign, ada)
    assert refused(assignment, text=long) == [("prompt_exists", "text")]
    assert refused(assignment, text=long + "Be kind.") == [("prompt_like_another", "sure-near")]


def so_far(assignment: Assignment, text: str) -> tuple[bool, str] | None:
    like = like_so_far({"style": "plain", "text": text}, assignment)
    return like and (like.is_own, like.text)


def test_who_writes_is_told_of_a_prompt_that_is_close(project: Project, campaign: Campaign, ada: Labeler) -> None:
    birds = "Name five birds that winter in the north of Norway."
    submit_now(must_claim(campaign, ada), written(birds))
    long = "Write a letter to my landlord about the damp in the hall of the house. " * 5
    take_prompt(project, PromptText([{"role": "user", "content": long + "The rent is 900 a month."}]))
    assignment = must_claim(campaign, ada)
    assert so_far(assignment, "Name five birds that winter in the south of Norway.") == (True, birds)
    assert so_far(assignment, "Name the longest river in the north of Norway.") is None
    assert so_far(assignment, "Name five") is None  # too little to tell
    is_own, text = so_far(assignment, long + "Be kind.") or (True, "")
    assert not is_own
    assert long.startswith(text.removesuffix("…"))  # no more of another's than is in one's own


def test_of_anothers_own_words_only_the_very_same_are_told(campaign: Campaign, ada: Labeler, project: Project) -> None:
    submit_now(must_claim(campaign, make_labeler(project, "bo")), written("Name five birds that winter in Norway."))
    assignment = must_claim(campaign, ada)
    assert so_far(assignment, "Name five birds that winter in Norway, please.") is None
    # The same words are refused in any case: better now than at the end.
    assert so_far(assignment, "Name five birds that winter in Norway.") is not None
