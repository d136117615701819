"""The form that rehearses a round: the settings that a team would try before it pays people."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.core.validators import MaxValueValidator

from labeling.campaign_forms import dressed
from labeling.models import Project
from training.recipes import RECIPES, Recipe, recipes_for
from training.rehearsing import (
    BY_HAND,
    FEWEST_PROMPTS,
    FEWEST_RESPONSES,
    MOST_JUDGES,
    MOST_RESPONSES,
    Settings,
    default_settings,
    policies,
    prompts_left,
)

AMOUNTS = ("prompts", "responses", "judges")
"""Fields that a recipe has figures of its own for."""


def with_amounts_of_the_recipe(typed: Mapping[str, Any]) -> dict[str, str]:
    """What was typed; where another recipe was chosen, amounts that nobody changed become those of that recipe.

    Too few rankings are half of what the over-optimised recipe shows: with the usual amounts it would show nothing.
    The hidden field "filled" names the recipe whose amounts stood in the form.
    """
    found = {name: str(value) for name, value in typed.items()}
    before, now = found.get("filled", ""), found.get("recipe", "")
    if is_rehearsed(before) and is_rehearsed(now):
        if before != now and all(found.get(name, "").strip() == said for name, said in _amounts(before).items()):
            found |= _amounts(now)
        found["filled"] = now
    return found


def is_rehearsed(recipe: str) -> bool:
    return recipe in RECIPES and RECIPES[recipe].rehearsal is not None


def _amounts(recipe: str) -> dict[str, str]:
    settings = default_settings(recipe)
    return {name: str(getattr(settings, name)) for name in AMOUNTS}


class RehearsalForm(forms.Form):
    """Bounds are those of rehearsing.rehearse, which has the last word."""

    recipe = forms.ChoiceField(
        label="Recipe", widget=forms.RadioSelect, help_text="amounts that you leave as they are follow the recipe"
    )
    filled = forms.CharField(required=False, widget=forms.HiddenInput)
    policy = forms.ChoiceField(
        label="Start from", required=False, help_text="a second round samples from the policy of an earlier one"
    )
    prompts = forms.IntegerField(label="Prompts to rank", min_value=FEWEST_PROMPTS)
    responses = forms.IntegerField(
        label="Responses to a prompt (K)", min_value=FEWEST_RESPONSES, max_value=MOST_RESPONSES,
        help_text="each labeler orders all of them: K (K − 1) / 2 comparisons",
    )  # fmt: skip
    judges = forms.IntegerField(
        label="Judges of each cohort", min_value=1, max_value=MOST_JUDGES,
        help_text=f"there are two cohorts, terse and warm, with {MOST_JUDGES} rankers each",
    )  # fmt: skip
    by_hand = forms.IntegerField(
        label="Tasks with room for you", min_value=0, initial=BY_HAND,
        help_text="you find them among your work while and after the simulated labelers rank; nobody waits for you",
    )  # fmt: skip

    told = forms.BooleanField(
        label="Tell the two cohorts apart", required=False,
        help_text="one policy, told for whom it writes; raters of both cohorts rate what it writes for each",
    )  # fmt: skip

    def __init__(self, typed: Mapping[str, Any] | None = None, *, project: Project, recipe: str = "rehearsal") -> None:
        settings = default_settings(recipe)
        initial = {
            "recipe": settings.recipe, "prompts": settings.prompts, "responses": settings.responses,
            "judges": settings.judges, "filled": recipe,
        }  # fmt: skip
        super().__init__(typed, initial=initial, auto_id="rehearse-%s")
        fields: Any = self.fields
        fields["recipe"].choices = [
            (one.name, _in_words(one)) for one in recipes_for(project) if one.rehearsal is not None
        ]
        fields["policy"].choices = [("", "SFT of the demonstrations"), *_policies(project)]
        most = prompts_left(project, unanswered="by people")
        fields["prompts"].validators.append(MaxValueValidator(most))
        fields["prompts"].widget.attrs["max"] = most
        fresh = prompts_left(project, unanswered="by anybody")
        fields[
            "prompts"
        ].help_text = f"at most {most:,}, of which no model has answered {fresh:,} yet; these come first"
        dressed(self)

    def settings(self) -> Settings:
        """Needs a valid form."""
        found = self.cleaned_data
        return Settings(
            recipe=found["recipe"], policy=int(found["policy"]) if found["policy"] else None,
            prompts=found["prompts"], responses=found["responses"], judges=found["judges"], by_hand=found["by_hand"],
            told=found["told"],
        )  # fmt: skip


def _in_words(recipe: Recipe) -> str:
    usual = default_settings(recipe.name)
    judges = f"{usual.judges} judge{'' if usual.judges == 1 else 's'}"
    return f"{recipe.title}. {recipe.about} Usually {usual.prompts:,} prompts, {judges} of each cohort."


def _policies(project: Project) -> list[tuple[str, str]]:
    found = []
    for one in policies(project):
        assert one.job is not None
        assert one.job.stage is not None
        found.append((str(one.pk), f"the policy of round {one.job.stage.round.number} ({one.name})"))
    return found
