"""Looking through prompts and responses: what is listed, what narrows it, what a search finds, what is refused."""

from html import unescape
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from labeling.browsing import searching, sheets
from labeling.checking import Work
from labeling.models import Generator, Labeler, Project, Prompt, Response, Role, Submission, User, WorkKind
from labeling.reviewing import review
from tests.conftest import make_member, signed_in
from tests.labeling.work import (
    make_campaign,
    make_labeler,
    make_prompt,
    make_responses,
    must_claim,
    ranked,
    submit_now,
    written,
)

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]


@pytest.fixture
def ines(researcher: User) -> Client:
    return signed_in(researcher)


def url(name: str, *arguments: Any) -> str:
    return reverse(name, args=["helpdesk", *arguments])


def text_of(answer: Any) -> str:
    return unescape(answer.content.decode())


def found(client: Client, **typed: str) -> list[int]:
    """Primary keys of the prompts that the list shows."""
    answer = client.get(url("prompts"), typed)
    assert answer.status_code == 200
    return [prompt.pk for prompt in answer.context["sheet"].rows]


def said_by_a_person(prompt: Prompt, text: str = "A person's answer.", **more: Any) -> Response:
    source = more.pop("source", Labeler.Source.IMPORTED)
    labeler, _ = Labeler.objects.get_or_create(
        project=prompt.project, pseudonym=f"Ada {source}", defaults={"source": source}
    )
    return Response.objects.create(prompt=prompt, labeler=labeler, text=text, **more)


class TestWhoMaySeeThem:
    @pytest.fixture
    def addresses(self, project: Project) -> list[str]:
        prompt = make_prompt(project)
        return [url("prompts"), url("prompt", prompt.pk), url("responses")]

    def test_a_stranger_meets_404(self, addresses: list[str], stranger: User) -> None:
        assert {signed_in(stranger).get(address).status_code for address in addresses} == {404}

    def test_a_labeler_meets_403(self, addresses: list[str], labeler: User) -> None:
        assert {signed_in(labeler).get(address).status_code for address in addresses} == {403}

    def test_owner_and_researcher_read_them(self, addresses: list[str], owner: User, ines: Client) -> None:
        for client in (signed_in(owner), ines):
            assert {client.get(address).status_code for address in addresses} == {200}

    def test_a_prompt_of_another_project_is_not_found_through_ones_own(self, stranger: User, ines: Client) -> None:
        theirs = make_prompt(Project.objects.get(slug="elsewhere"), "Between us?")
        assert ines.get(url("prompt", theirs.pk)).status_code == 404
        assert found(ines) == []
        assert found(ines, q="Between") == []

    def test_a_number_beyond_all_numbers_is_not_found(self, ines: Client) -> None:
        assert ines.get(url("prompts") + "9" * 40 + "/").status_code == 404


class TestSearching:
    def test_every_word_must_be_there_in_any_case_and_order(self, project: Project, ines: Client) -> None:
        wanted = make_prompt(project, "How do I bake Rye bread at home?")
        make_prompt(project, "How do I bake a cake?")
        assert found(ines, q="RYE bake") == [wanted.pk]

    def test_every_turn_is_searched_and_neither_roles_nor_json_are(self, project: Project, ines: Client) -> None:
        prompt = make_prompt(project)
        prompt.messages = [
            {"role": "user", "content": "Where is Oslo?"},
            {"role": "assistant", "content": "In Norway."},
            {"role": "user", "content": 'Say it in "bokmål"\nplease \\o/'},
        ]
        prompt.save()
        for word in ("Oslo", "norway", 'n "bokmål"', "bokmål", "\\o/"):
            assert found(ines, q=word) == [prompt.pk], word
        for word in ("assistant", "content", "role", '"}', "u00e5", "\\n"):
            assert found(ines, q=word) == [], word

    @pytest.mark.parametrize("hostile", ["%", "_", "'", '"', "\\", "';--", "%%s", "{}", "a%' OR '1'='1"])
    def test_signs_that_databases_read_are_read_as_themselves(
        self, project: Project, ines: Client, hostile: str
    ) -> None:
        plain = make_prompt(project, "Plain words")
        assert found(ines, q=hostile) == []
        sign = hostile.split()[0]
        with_it = make_prompt(project, f"It says {hostile} here")
        assert found(ines, q=sign) == [with_it.pk]
        assert plain.pk not in found(ines, q=hostile)

    def test_ten_thousand_characters_are_refused_in_a_sentence_and_kept(self, project: Project, ines: Client) -> None:
        answer = ines.get(url("prompts"), {"q": "x" * 10_000})
        assert answer.status_code == 400
        assert "10000 characters are too many to search for; 200 at most." in text_of(answer)
        assert "x" * 10_000 in text_of(answer)

    def test_a_nul_is_refused(self, project: Project, ines: Client) -> None:
        for page in ("prompts", "responses"):
            answer = ines.get(url(page), {"q": "a\0b"})
            assert answer.status_code == 400
            assert "Null characters are not allowed" in text_of(answer)

    def test_of_many_words_the_first_are_looked_for_and_the_page_says_so(self, project: Project, ines: Client) -> None:
        prompt = make_prompt(project, "one two three four five six seven eight")
        words = "one two three four five six seven eight nine"
        assert found(ines, q=words) == [prompt.pk]
        assert "Only the first 8 words were looked for." in text_of(ines.get(url("prompts"), {"q": words}))

    def test_words_are_looked_for_in_the_newest_rows_only_and_the_page_says_so(
        self, project: Project, ines: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        prompts = [make_prompt(project, "The same word") for _ in range(4)]
        monkeypatch.setattr(searching, "SEARCHED", 2)
        assert found(ines, q="same") == [prompts[3].pk, prompts[2].pk]
        assert "Words were looked for in the newest 2" in text_of(ines.get(url("prompts"), {"q": "same"}))

    def test_the_bound_lies_among_what_the_other_filters_leave(
        self, project: Project, ines: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        old = make_prompt(project, "A word")
        Prompt.objects.filter(pk=old.pk).update(split="test")
        for _ in range(3):
            make_prompt(project, "A word")
        monkeypatch.setattr(searching, "SEARCHED", 2)
        assert found(ines, q="word", split="test") == [old.pk]


class TestFilters:
    def test_split_use_case_style_and_origin(self, project: Project, ines: Client) -> None:
        other = make_prompt(project)
        one = make_prompt(project)
        changes = {"split": "test", "use_case": "rewrite", "style": "few_shot", "origin": "simulated"}
        Prompt.objects.filter(pk=one.pk).update(**changes)
        for name, value in changes.items():
            assert found(ines, **{name: value}) == [one.pk]
        assert found(ines, **changes) == [one.pk]
        assert found(ines) == [one.pk, other.pk]

    def test_with_and_without_a_demonstration(self, project: Project, ines: Client) -> None:
        without, shown, only_judged = (make_prompt(project) for _ in range(3))
        said_by_a_person(shown)
        said_by_a_person(only_judged, judged_only=True)
        make_responses(without, ["By a machine"])
        assert found(ines, demonstration="yes") == [shown.pk]
        assert found(ines, demonstration="no") == [only_judged.pk, without.pk]

    def test_with_responses_of_a_generator(self, project: Project, ines: Client) -> None:
        make_prompt(project)
        answered = make_prompt(project)
        make_responses(answered, ["One", "Two"])
        assert found(ines, generator=str(Generator.objects.get().pk)) == [answered.pk]

    @pytest.mark.parametrize(
        "typed", [{"split": "tset"}, {"generator": "7777777"}, {"generator": "1 OR 1=1"}, {"demonstration": "maybe"}]
    )
    def test_a_value_that_is_not_offered_is_refused_beside_its_field(
        self, project: Project, ines: Client, typed: dict[str, str]
    ) -> None:
        make_prompt(project, "Not to be seen now")
        answer = ines.get(url("prompts"), typed)
        assert answer.status_code == 400
        assert f"{next(iter(typed.values()))} is not one of those offered." in text_of(answer)
        assert "Not to be seen now" not in text_of(answer)

    def test_a_relation_in_the_address_is_refused(self, project: Project, ines: Client) -> None:
        make_prompt(project)
        name = "submission__assignment__labeler__user__password__startswith"
        answer = ines.get(url("prompts"), {name: "x"})
        assert answer.status_code == 400
        assert f"{name!r} is no filter here" in text_of(answer)


class TestTheList:
    def test_it_goes_on_where_the_last_sheet_ended(
        self, project: Project, ines: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sheets, "ROWS", 2)
        made = [make_prompt(project, f"Word {number}").pk for number in range(5)]
        address, seen = url("prompts") + "?q=word", []
        while address:
            answer = ines.get(address)
            seen.append([prompt.pk for prompt in answer.context["sheet"].rows])
            address = url("prompts") + answer.context["sheet"].older if answer.context["sheet"].older else ""
        assert seen == [made[:2:-1], made[2:0:-1], made[:1]]

    @pytest.mark.parametrize("before", ["x", "-1", "9" * 30, "٣", ""])
    def test_a_place_that_is_none_is_the_beginning(self, project: Project, ines: Client, before: str) -> None:
        prompt = make_prompt(project)
        assert found(ines, before=before) == [prompt.pk]

    def test_a_line_says_what_there_is_of_each(self, project: Project, ines: Client) -> None:
        campaign = make_campaign(project, shown=3)
        prompt = Prompt.objects.get()
        said_by_a_person(prompt)
        said_by_a_person(prompt)
        assert campaign.tasks.count() == 1
        page = text_of(ines.get(url("prompts")))
        assert "2 demonstrations" in page
        assert "3 generated" in page
        assert ">1 task<" in page

    def test_it_costs_the_same_queries_for_many_prompts(
        self, project: Project, ines: Client, django_assert_max_num_queries: Any
    ) -> None:
        for _ in range(20):
            make_responses(make_prompt(project), ["a", "b"])
        with django_assert_max_num_queries(10):
            ines.get(url("prompts"), {"q": "what"})
        with django_assert_max_num_queries(11):
            ines.get(url("responses"), {"q": "a"})

    def test_hostile_words_are_shown_as_words(self, project: Project, ines: Client) -> None:
        prompt = make_prompt(project, "<script>alert(1)</script>")
        make_responses(prompt, ["<img src=x onerror=alert(2)>"])
        for page in (url("prompts"), url("responses"), url("prompt", prompt.pk)):
            answer = ines.get(page, {"q": "<"}).content.decode()
            assert "<script>alert" not in answer
            assert "<img" not in answer


class TestOnePrompt:
    def test_it_shows_the_conversation_and_where_it_is_from(self, project: Project, ines: Client) -> None:
        prompt = make_prompt(project)
        prompt.messages = [
            {"role": "user", "content": "Hello"},
            {"role": "assistant", "content": "Yes?"},
            {"role": "user", "content": "A **bold** question"},
        ]
        prompt.consent, prompt.personal_data, prompt.external_id = "research 2026", ["email"], "tree-7"
        prompt.save()
        page = text_of(ines.get(url("prompt", prompt.pk)))
        for part in ("<strong>bold</strong>", "assistant", "research 2026", "email", "tree-7", prompt.group_key):
            assert part in page

    def test_people_stand_before_machines_each_with_what_was_said_of_them(self, project: Project, ines: Client) -> None:
        campaign = make_campaign(project, shown=2, overlap=2)
        prompt = Prompt.objects.get()
        said_by_a_person(prompt, "Written by hand", review_state="returned", source="simulated")
        Response.objects.filter(prompt=prompt, generator__isnull=False).update(
            sampling={"temperature": 0.7}, finish_reason="length", token_count=1234
        )
        for name in ("a", "b"):
            submit_now(must_claim(campaign, make_labeler(project, name)), ranked(1, 1))
        page = text_of(ines.get(url("prompt", prompt.pk)))
        assert page.index("Written by hand") < page.index("Text 0 of")
        for part in (
            "simulated",
            "returned",
            "secret-model-13b",
            "temperature 0.7",
            "cut at its length",
            "1,234 tokens",
        ):
            assert part in page
        assert "ranked 1 of 2, 1 of 2" in page
        assert campaign.name in page

    def test_withdrawn_and_surplus_judgments_are_not_in_the_mean(self, project: Project, ines: Client) -> None:
        from labeling.checking import Said, Work
        from labeling.models import Submission

        campaign = make_campaign(project, kind=WorkKind.RATING, overlap=3)
        submissions = []
        for name, overall in (("a", 2), ("b", 4), ("c", 7)):
            work = Work(responses={"A": Said(ratings={"overall": overall})})
            submissions.append(submit_now(must_claim(campaign, make_labeler(project, name)), work).submission)
        Submission.objects.filter(pk=submissions[2].pk).update(counted=False)
        page = text_of(ines.get(url("prompt", Prompt.objects.get().pk)))
        assert "rated 3.0 by 2" in page

    def test_many_responses_are_shown_in_part_and_the_rest_is_a_link_away(
        self, project: Project, ines: Client, django_assert_max_num_queries: Any
    ) -> None:
        prompt = make_prompt(project)
        make_responses(prompt, [f"Number {number}" for number in range(70)])
        with django_assert_max_num_queries(12):
            page = text_of(ines.get(url("prompt", prompt.pk)))
        assert "60 of 70 responses are shown here" in page
        listed = ines.get(url("responses"), {"prompt": prompt.pk})
        assert "70</b> responses match" in text_of(listed)


class TestResponses:
    def test_by_kind_generator_and_words(self, project: Project, ines: Client) -> None:
        prompt = make_prompt(project)
        (machine,) = make_responses(prompt, ["Rye bread by a machine"])
        person = said_by_a_person(prompt, "Rye bread by hand")
        judged = said_by_a_person(prompt, "Something else", judged_only=True)

        def listed(**typed: str) -> list[int]:
            return [one.pk for one in ines.get(url("responses"), typed).context["sheet"].rows]

        assert listed(kind="generated") == [machine.pk]
        assert listed(kind="demonstration") == [person.pk]
        assert listed(kind="judged") == [judged.pk]
        assert listed(q="bread rye") == [person.pk, machine.pk]
        assert listed(generator=str(machine.generator_id)) == [machine.pk]
        assert url("prompt", prompt.pk) + f"#response-{machine.pk}" in text_of(ines.get(url("responses")))

    def test_a_prompt_number_that_is_none_is_refused(self, project: Project, ines: Client) -> None:
        for number in ("x", "9" * 30, "-1"):
            assert ines.get(url("responses"), {"prompt": number}).status_code == 400


class TestWhatIsSetAside:
    @pytest.fixture
    def written_by_people(self, project: Project) -> dict[str, Prompt]:
        """A prompt in every standing, and one from a file."""
        campaign = make_campaign(project, kind=WorkKind.PROMPT)
        rita, found = make_member(project, "rita", Role.REVIEWER), {}
        for number, standing in enumerate(("stands", "replaced", "returned", "surplus", "withdrawn")):
            assignment = must_claim(campaign, make_labeler(project, f"writer-{number}"))
            submission = submit_now(assignment, written(f"What is {number} times {number}?")).submission
            found[standing] = submission.prompts.get()
            if standing == "replaced":
                assignment.refresh_from_db()
                submit_now(assignment, written("What is the square of one?"), corrects=1)
            elif standing == "returned":
                review(submission, rita, state="returned", remarks="Too plain.", seen=0)
            elif standing == "surplus":
                Submission.objects.filter(pk=submission.pk).update(counted=False)
            elif standing == "withdrawn":
                Submission.objects.filter(pk=submission.pk).update(withdrawn_at=timezone.now())
        return found | {"imported": make_prompt(project)}

    def test_it_is_marked_in_the_list_and_on_its_page(self, written_by_people: dict[str, Prompt], ines: Client) -> None:
        shown = {prompt.pk: prompt.aside for prompt in ines.get(url("prompts")).context["sheet"].rows}
        page = text_of(ines.get(url("prompts")))
        for standing, prompt in written_by_people.items():
            expected = "" if standing in ("stands", "imported") else standing
            assert shown[prompt.pk] == expected
            own = text_of(ines.get(url("prompt", prompt.pk)))
            assert (f"{standing.capitalize()}.</span>" in own) == bool(expected)
            assert (f">{standing}</span>" in page) == bool(expected)
        assert ">4</a> of them are set aside" in page

    def test_the_list_is_narrowed_by_it(self, written_by_people: dict[str, Prompt], ines: Client) -> None:
        aside = {written_by_people[name].pk for name in ("replaced", "returned", "surplus", "withdrawn")}
        assert set(found(ines, standing="aside")) == aside
        assert set(found(ines, standing="stands")) == set(found(ines)) - aside
        assert len(found(ines, standing="stands")) == 3

    def test_a_replaced_demonstration_is_marked_too(self, project: Project, ines: Client) -> None:
        rita = make_member(project, "rita", Role.REVIEWER)
        assignment = must_claim(make_campaign(project, kind=WorkKind.DEMONSTRATION), make_labeler(project, "ada"))
        first = submit_now(assignment, Work(text="An apple.")).submission
        review(first, rita, state="returned", remarks="Which?", seen=0)
        assignment.refresh_from_db()
        submit_now(assignment, Work(text="A red apple."), corrects=1)
        lines = {one.pk: one.aside for one in ines.get(url("responses")).context["sheet"].rows}
        assert lines[first.responses.get().pk] == "replaced"
        assert sorted(lines.values()) == ["", "replaced"]
