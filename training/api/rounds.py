"""Rounds: opened, their stages launched, closed; and what an evaluation of one says."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from labeling.access import READS_DATA, RESEARCHES
from labeling.agreement.figures import Figure
from labeling.api.fields import OneOf, Sent, Shown, Text, Truth, Whole
from labeling.api.paging import Paged, page_of, page_shape
from labeling.api.resource import Allowed, Resource, found_or_404, operation
from labeling.models import Campaign
from labeling.scopes import Scope
from training import rounds
from training.audience import MODES, MOST_TOLD, audience_in, audience_of
from training.contenders import MOST_OVERLAP, OFFERED, OWN, EvaluationChoices, model_and_condition
from training.evaluation import Evaluation, evaluation_of
from training.models import Round, Stage
from training.next_round import next_round
from training.recipes import RECIPES
from training.two_by_two import Square, squares

READS, TRAINS = Allowed(READS_DATA, Scope.READ), Allowed(RESEARCHES, Scope.TRAIN)
MOST_VALUES = 40
MOST_NUMBER = 2**31 - 1


class StageShown(Shown):
    """One step of a round. refusal: why it was not started by itself."""

    kind = serializers.ChoiceField(Stage.Kind.choices)
    state = serializers.ChoiceField(Stage.State.choices)
    waits_for = serializers.ListField(child=serializers.CharField())
    refusal = serializers.CharField()
    job = serializers.IntegerField(allow_null=True)
    campaign = serializers.IntegerField(allow_null=True)


class ConditionShown(Shown):
    """A cohort as models are told it. cohort: its number when it was written down."""

    key = serializers.CharField()
    name = serializers.CharField()
    text = serializers.CharField()
    cohort = serializers.IntegerField(allow_null=True)


class AudienceShown(Shown):
    """Whom a round is trained for: everybody, one cohort alone, or several told apart."""

    mode = serializers.ChoiceField(MODES)
    conditions = ConditionShown(many=True)


class RoundShown(Shown):
    """The stages that lead from demonstrations to a policy, once."""

    number = serializers.IntegerField()
    state = serializers.ChoiceField(Round.State.choices)
    recipe = serializers.CharField()
    runs_itself = serializers.BooleanField()
    recorded = serializers.BooleanField(help_text="It was run elsewhere, and is here to be looked at.")
    audience = AudienceShown()
    stages = StageShown(many=True)
    created_at = serializers.DateTimeField()


@extend_schema_field({
    "type": "object", "maxProperties": MOST_VALUES, "example": {"sft": {"epochs": 2}},
    "additionalProperties": {
        "type": "object", "maxProperties": MOST_VALUES,
        "additionalProperties": {"type": ["number", "string", "boolean", "null"], "maxLength": 300},
    },
})  # fmt: skip
class Sections(serializers.DictField):
    """Sections of config.json over the recipe's: {"sft": {"epochs": 2}}."""

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, dict) or len(data) > MOST_VALUES:
            raise serializers.ValidationError(f"Expected an object of at most {MOST_VALUES} sections.", "not_sections")
        for name, values in data.items():
            if not isinstance(values, dict) or len(values) > MOST_VALUES:
                raise serializers.ValidationError(f"{name[:40]!r} is no section of values.", "not_sections")
            for key, value in values.items():
                plain = isinstance(value, bool | int | float | None) or (isinstance(value, str) and len(value) <= 300)
                if not plain:
                    raise serializers.ValidationError(f"{key[:40]!r} is no plain value.", "not_a_value")
        return data


class RoundSent(Sent):
    """base: a checkpoint's name, a folder on offer or hub:owner/name; without it a small base model is trained."""

    recipe = OneOf(tuple(RECIPES), required=False)
    base = Text(least=1, most=200, required=False)
    simulated = OneOf(rounds.SIMULATED, required=False)
    adjudicated = OneOf(rounds.READINGS["adjudicated"], required=False)
    weigh = OneOf(rounds.READINGS["weigh"], required=False)
    runs_itself = Truth(required=False)
    audience = OneOf(MODES, required=False, help_text="Whom it is trained for; everybody where nothing is said.")
    cohorts = serializers.ListField(
        child=Whole(low=1, high=MOST_NUMBER), max_length=MOST_TOLD, required=False,
        help_text="Numbers of cohorts: one for alone, two or more for told.",
    )  # fmt: skip


class NextSent(Sent):
    with_policy = Truth(required=False, help_text="Sample from this round's newest policy and train it on.")


class LaunchSent(Sent):
    """overlap, humans, without, others, told, external: of an evaluation; overlap of a ranking, too. condition: of
    Sample."""

    overrides = Sections(required=False)
    overlap = Whole(low=1, high=MOST_OVERLAP, required=False)
    humans = Truth(required=False)
    without = serializers.ListField(child=OneOf(OWN), max_length=len(OWN), required=False)
    others = serializers.ListField(
        child=Whole(low=1, high=MOST_NUMBER), max_length=OFFERED, required=False,
        help_text="Numbers of further checkpoints that answer.",
    )  # fmt: skip
    told = serializers.ListField(
        child=Text(least=3, most=120),
        max_length=OFFERED,
        required=False,
        help_text="Models that answer once more, told a condition: policy:terse, or 17:terse for a further checkpoint.",
    )
    external = serializers.ListField(
        child=Whole(low=1, high=MOST_NUMBER), max_length=OFFERED, required=False,
        help_text="Numbers of external generators whose imported responses are rated among the others.",
    )  # fmt: skip
    condition = Text(least=1, most=100, required=False, help_text="The key of a condition that the model is told.")


class FigureShown(Shown):
    """A figure with its 95 % interval; value is null where it cannot be had, and reason says why."""

    value = serializers.FloatField(allow_null=True)
    low = serializers.FloatField(allow_null=True)
    high = serializers.FloatField(allow_null=True)
    count = serializers.IntegerField()
    reason = serializers.CharField()


class AuthorShown(Shown):
    """Who was rated: a model, or people."""

    name = serializers.CharField()
    kind = serializers.CharField()
    told = serializers.CharField(allow_null=True, help_text="The key of the condition it was told; null for none.")
    mean = FigureShown()
    difference = FigureShown(help_text="Less the baseline, prompt by prompt.")
    win_rate = FigureShown(help_text="Against the baseline; a tie is a half.")
    flags = serializers.DictField(child=FigureShown())


class ToldShown(Shown):
    """What one model wrote told one thing, in the mean of each of the two cohorts of raters."""

    name = serializers.CharField()
    told = serializers.CharField(allow_null=True)
    means = FigureShown(many=True)


class TwoByTwoShown(Shown):
    """A model told for each of two cohorts, rated by both. holm: the p-value of the interaction among all such pairs.
    shared: for one's own less what is set beside it."""

    model = serializers.CharField()
    raters = serializers.ListField(child=serializers.CharField())
    rows = ToldShown(many=True)
    interaction = FigureShown()
    holm = serializers.FloatField(allow_null=True)
    shared = FigureShown(allow_null=True)


class EvaluationShown(Shown):
    """What a blind rating of responses to held-out prompts says: overall quality from 1 to 7, and flags."""

    campaign = serializers.IntegerField()
    round = serializers.IntegerField()
    baseline = serializers.CharField()
    raters = serializers.CharField()
    labelers = serializers.IntegerField()
    prompts = serializers.IntegerField()
    authors = AuthorShown(many=True)
    two_by_two = TwoByTwoShown(many=True)


class EvaluationList(Shown):
    items = EvaluationShown(many=True)
    next = serializers.CharField(allow_null=True)


RoundPage = page_shape("Round", RoundShown)


def round_shown(round_: Round) -> dict[str, Any]:
    """Needs stages prefetched."""
    return {
        "number": round_.number,
        "state": round_.state,
        "recipe": str(round_.recipe.get("name", "")),
        "runs_itself": round_.runs_itself,
        "recorded": bool(round_.recorded),
        "audience": audience_of(round_).to_json(),
        "stages": [
            {
                "kind": stage.kind,
                "state": stage.state,
                "waits_for": stage.waits_for,
                "refusal": stage.refusal,
                "job": stage.job_id,
                "campaign": stage.campaign_id,
            }
            for stage in round_.stages.all()
        ],
        "created_at": round_.created_at,
    }


def figure_shown(figure: Figure) -> dict[str, Any]:
    interval = figure.interval
    return {
        "value": figure.value,
        "low": interval.low if interval else None,
        "high": interval.high if interval else None,
        "count": figure.count,
        "reason": figure.reason,
    }


def evaluation_shown(round_: Round, found: Evaluation) -> dict[str, Any]:
    flags = found.campaign.guideline.flag_names
    return {
        "campaign": found.campaign.pk,
        "round": round_.number,
        "baseline": found.baseline.label,
        "raters": found.raters,
        "labelers": found.labelers,
        "prompts": found.prompts,
        "authors": [
            {
                "name": author.label,
                "kind": author.kind,
                "told": author.told.key if author.told else None,
                "mean": figure_shown(found.mean(author)),
                "difference": figure_shown(found.difference(author)),
                "win_rate": figure_shown(found.wins(author, found.baseline)),
                "flags": {flag: figure_shown(found.flagged(author, flag)) for flag in flags},
            }
            for author in found.authors
        ],
        "two_by_two": [square_shown(one) for one in squares(found)],
    }


def square_shown(square: Square) -> dict[str, Any]:
    return {
        "model": square.model,
        "raters": list(square.raters),
        "rows": [
            {
                "name": author.label,
                "told": author.told.key if author.told else None,
                "means": [figure_shown(figure) for figure in figures],
            }
            for author, figures in square.rows
        ],
        "interaction": figure_shown(square.figure),
        "holm": square.adjusted,
        "shared": figure_shown(square.shared) if square.shared else None,
    }


class RoundResource(Resource):
    """An address below one round, which is known by its number."""

    tag = "rounds"

    def round(self, number: int) -> Round:
        found = Round.objects.filter(project=self.project).select_related("project").prefetch_related("stages")
        return found_or_404(found, number=number)

    def answer(self, number: int, *, status: int = 200) -> Response:
        return Response(round_shown(self.round(number)), status=status)


class RoundsView(RoundResource):
    allows = {"GET": READS, "POST": TRAINS}

    @operation("The project's rounds.", query=Paged, gives=RoundPage, name="list_rounds")
    def get(self, request: Request, slug: str) -> Response:
        found = Round.objects.filter(project=self.project).prefetch_related("stages")
        return Response(page_of(found, self.query, round_shown))

    @operation("Opens a round.", takes=RoundSent, gives=RoundShown, status=201, name="open_round")
    def post(self, request: Request, slug: str) -> Response:
        by: Any = request.user
        sent = self.sent(request)
        more = {name: sent.pop(name) for name in rounds.READINGS if name in sent}
        named = [str(number) for number in sent.pop("cohorts", ())]
        audience = audience_in(self.project, sent.pop("audience", "everybody"), named)
        opened = rounds.open_round(self.project, by=by, more=more, audience=audience, **sent)
        return self.answer(opened.number, status=201)


class RoundView(RoundResource):
    allows = {"GET": READS}

    @operation("One round with its stages.", gives=RoundShown, name="read_round")
    def get(self, request: Request, slug: str, number: int) -> Response:
        return self.answer(number)


class CloseView(RoundResource):
    allows = {"POST": TRAINS}

    @operation("Ends a round: nothing of it is launched any more.", gives=RoundShown, name="close_round")
    def post(self, request: Request, slug: str, number: int) -> Response:
        rounds.close_round(self.round(number))
        return self.answer(number)


class NextView(RoundResource):
    allows = {"POST": TRAINS}

    @operation("The next round, by the same recipe.", takes=NextSent, gives=RoundShown, status=201, name="next_round")
    def post(self, request: Request, slug: str, number: int) -> Response:
        by: Any = request.user
        with_policy = self.sent(request).get("with_policy", True)
        return self.answer(next_round(self.round(number), with_policy=with_policy, by=by).number, status=201)


class LaunchView(RoundResource):
    allows = {"POST": TRAINS}

    @operation(
        "Starts a stage: freezes its data and makes its job; a rank stage opens its campaign.",
        takes=LaunchSent,
        gives=RoundShown,
        name="launch_stage",
    )
    def post(self, request: Request, slug: str, number: int, kind: str) -> Response:
        round_ = self.round(number)
        found_or_404(Stage.objects.filter(round=round_), kind=kind)
        said = self.sent(request)
        if kind == Stage.Kind.RANK:
            rounds.open_ranking_campaign(round_, overlap=said.get("overlap", 1))
            return self.answer(number)
        choices = None
        if kind == Stage.Kind.EVALUATE:
            asked = {name: said[name] for name in ("overlap", "humans") if name in said}
            choices = EvaluationChoices(
                **asked, without=tuple(said.get("without", ())), others=tuple(said.get("others", ())),
                told=tuple(model_and_condition(one) for one in said.get("told", ())),
                external=tuple(said.get("external", ())),
            )  # fmt: skip
        by: Any = request.user
        rounds.launch(
            round_, kind, overrides=said.get("overrides", {}), choices=choices, told=said.get("condition", ""), by=by
        )
        return self.answer(number)


class EvaluationsView(RoundResource):
    allows = {"GET": READS}

    @operation("What people said of a round's models.", gives=EvaluationList, name="list_evaluations")
    def get(self, request: Request, slug: str, number: int) -> Response:
        round_ = self.round(number)
        campaigns = Campaign.objects.filter(stages__round=round_, kind="rating").select_related("project", "guideline")
        found = [evaluation_of(round_, campaign) for campaign in campaigns.distinct()]
        return Response({"items": [evaluation_shown(round_, one) for one in found if one is not None], "next": None})
