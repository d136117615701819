"""What a list is narrowed by, as typed into the address: checked, refused in a sentence, kept in the form."""

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlencode

from django import forms

from labeling.browsing.aside import STANDING
from labeling.browsing.searching import LONGEST_SEARCH
from labeling.models import Generator, Project, Prompt

Typed = Mapping[str, str]
ANY = ("", "any")

WITH_AND_WITHOUT = (ANY, ("yes", "with"), ("no", "without"))


def query_with(typed: Typed, **changes: str) -> str:
    """The query of an address with these changes, "?q=x&before=12"; an empty value leaves its name out."""
    values = {name: value for name, value in {**dict(typed.items()), **changes}.items() if value}
    return f"?{urlencode(values)}"


PLACES = frozenset({"before", "after", "page", "sheet"})
"""Names by which an address says where in a list it is."""


class Filters(forms.Form):
    """Filters over a list. A value that is none of those offered is refused with its name, and so is a name that is no
    filter here: what stands in an address reaches no query but by the names of the fields."""

    besides: frozenset[str] = frozenset()
    """Names that a page takes besides."""

    def clean(self) -> dict[str, Any]:
        for name in self.data:
            if name not in self.fields and name not in PLACES | self.besides:
                raise forms.ValidationError(f"{name[:60]!r} is no filter here; there are: {', '.join(self.fields)}.")
        return self.cleaned_data

    def __init__(self, typed: Typed, **offered: Iterable[tuple[Any, str]]) -> None:
        """offered: choices of the fields whose choices differ from project to project."""
        super().__init__(typed, auto_id="filter-%s")
        for name, choices in offered.items():
            self._offer(name, choices)
        for field in self.fields.values():
            field.widget.attrs["class"] = "field__input"
            if isinstance(field, forms.ChoiceField):
                field.error_messages["invalid_choice"] = "%(value)s is not one of those offered."
        for bound in self:
            if bound.errors:
                bound.field.widget.attrs |= {"aria-invalid": "true", "aria-describedby": f"{bound.auto_id}-problem"}

    def _offer(self, name: str, choices: Iterable[tuple[Any, str]]) -> None:
        field = self.fields[name]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [ANY, *((str(value), label) for value, label in choices)]

    @property
    def said(self) -> dict[str, str]:
        """What was chosen, without what was left open. Nothing where anything was wrong."""
        return {name: value for name, value in self.cleaned_data.items() if value} if self.is_valid() else {}


def choice(label: str, choices: Iterable[Any] = ()) -> forms.ChoiceField:
    return forms.ChoiceField(label=label, required=False, choices=[ANY, *choices])


def words() -> forms.CharField:
    too_long = f"%(show_value)s characters are too many to search for; {LONGEST_SEARCH} at most."
    return forms.CharField(
        label="Words", required=False, max_length=LONGEST_SEARCH, error_messages={"max_length": too_long},
        widget=forms.TextInput(attrs={"type": "search", "autocomplete": "off", "maxlength": None}),
    )  # fmt: skip


class PromptFilters(Filters):
    q = words()
    split = choice("Split", Prompt.Split.choices)
    use_case = choice("Use case", Prompt.UseCase.choices)
    style = choice("Style", Prompt.Style.choices)
    origin = choice("Origin", Prompt.Origin.choices)
    demonstration = forms.ChoiceField(label="Demonstration", required=False, choices=WITH_AND_WITHOUT)
    generator = choice("Responses of")
    standing = forms.ChoiceField(label="Standing", required=False, choices=STANDING)

    def __init__(self, typed: Typed, *, project: Project) -> None:
        super().__init__(typed, generator=generators_of(project))


class ResponseFilters(Filters):
    KINDS = (
        ("demonstration", "demonstrations"), ("generated", "by a generator"), ("judged", "by a person, to be judged"),
    )  # fmt: skip

    q = words()
    kind = choice("Kind", KINDS)
    generator = choice("Generator")
    prompt = forms.IntegerField(label="Prompt", required=False, min_value=1, max_value=2**62)

    def __init__(self, typed: Typed, *, project: Project) -> None:
        super().__init__(typed, generator=generators_of(project))


class TaskFilters(Filters):
    STATES = (("whole", "at full overlap"), ("begun", "begun"), ("untouched", "not begun"))

    state = choice("State", STATES)


def generators_of(project: Project) -> list[tuple[int, str]]:
    return list(Generator.objects.filter(project=project).order_by("name").values_list("pk", "name"))
