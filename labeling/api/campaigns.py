"""Campaigns: made, filled with tasks, opened, paused, closed; and how far they are."""

from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from labeling.access import READS_DATA, RESEARCHES
from labeling.api.fields import OneOf, Sent, Shown, Text, Truth, Whole, members_of
from labeling.api.paging import Paged, page_of, page_shape
from labeling.api.resource import Allowed, Resource, found_or_404, operation
from labeling.campaigning import (
    MOST_OVERLAP,
    change_overlap,
    change_settings,
    create_without_tasks,
    delete_campaign,
    open_as_pilot,
    open_to_all,
)
from labeling.errors import InvalidSetting
from labeling.models import Campaign, Cohort, Guideline, Prompt, Task, WorkKind
from labeling.models import Response as ResponseText
from labeling.models.campaign import REQUIRABLE
from labeling.opening import close_campaign, make_tasks, open_campaign, pause_campaign
from labeling.progress import Progress, progress_of
from labeling.scopes import Scope

MOST_MINUTES = 60 * 24 * 30
MOST_PROMPTS = 1_000_000
MOST_TASKS = 10_000
READS, WRITES = Allowed(READS_DATA, Scope.READ), Allowed(RESEARCHES, Scope.WRITE)


class ProgressShown(Shown):
    """wanted: submissions that are to count; done: those that do."""

    tasks = serializers.IntegerField()
    wanted = serializers.IntegerField()
    done = serializers.IntegerField()
    live = serializers.IntegerField(help_text="In somebody's hands.")
    surplus = serializers.IntegerField(help_text="Kept and credited, not counted.")
    skipped = serializers.IntegerField()


class CampaignShown(Shown):
    """A body of work of one kind."""

    id = serializers.IntegerField()
    name = serializers.CharField()
    kind = serializers.ChoiceField(WorkKind.choices)
    state = serializers.ChoiceField(Campaign.State.choices)
    guideline = serializers.IntegerField()
    cohort = serializers.IntegerField(allow_null=True)
    overlap = serializers.IntegerField()
    required = serializers.ListField(child=serializers.CharField())  # type: ignore[assignment]
    blind = serializers.BooleanField()
    quota = serializers.IntegerField(allow_null=True)
    per_labeler = serializers.IntegerField(allow_null=True)
    pilot_tasks = serializers.IntegerField(allow_null=True)
    lease_minutes = serializers.IntegerField()
    correction_minutes = serializers.IntegerField()
    skip_policy = serializers.ChoiceField(Campaign.SkipPolicy.choices)
    imported = serializers.BooleanField()
    created_at = serializers.DateTimeField()
    progress = ProgressShown()


class CampaignFilter(Paged):
    kind = serializers.ChoiceField(WorkKind.choices, required=False)
    state = serializers.ChoiceField(Campaign.State.choices, required=False)


class CampaignChanged(Sent):
    """Settings of a campaign. What people work by (guideline, required, blind) is fixed once it is open."""

    name = Text(least=1, most=120, required=False)
    guideline = Whole(low=1, required=False)
    cohort = Whole(low=1, required=False, allow_null=True)
    required = serializers.ListField(child=OneOf(REQUIRABLE), max_length=len(REQUIRABLE), required=False)  # type: ignore[assignment]
    blind = Truth(required=False)
    quota = Whole(low=1, high=MOST_PROMPTS, required=False, allow_null=True)
    per_labeler = Whole(low=1, high=MOST_PROMPTS, required=False, allow_null=True)
    lease_minutes = Whole(low=1, high=MOST_MINUTES, required=False)
    correction_minutes = Whole(low=0, high=MOST_MINUTES, required=False)
    skip_policy = OneOf(Campaign.SkipPolicy.choices, required=False)


class CampaignSent(CampaignChanged):
    kind = OneOf(WorkKind.choices)
    name = Text(least=1, most=120)
    guideline = Whole(low=1)
    overlap = Whole(low=1, high=MOST_OVERLAP, required=False)


class OpenSent(Sent):
    pilot_tasks = Whole(low=1, high=10**6, required=False, help_text="Hand out only so many, the first ones, for now.")


class CloseSent(Sent):
    release = Truth(required=False, help_text="Take back what is in hand, too.")


class OverlapSent(Sent):
    overlap = Whole(low=1, high=MOST_OVERLAP)


class TaskSent(Sent):
    """prompt, responses: their numbers here. A demonstration shows no responses, a rating one, a ranking 2 to 9."""

    prompt = Whole(low=1)
    responses = serializers.ListField(child=Whole(low=1), max_length=9, required=False)


class TasksSent(Sent):
    tasks = serializers.ListField(child=TaskSent(), min_length=1, max_length=MOST_TASKS)


class TasksMade(Shown):
    ids = serializers.ListField(child=serializers.IntegerField(), help_text="Of the tasks made, by position.")


class TaskShown(Shown):
    """One piece of work. done: submissions that count."""

    id = serializers.IntegerField()
    campaign = serializers.IntegerField()
    prompt = serializers.IntegerField(allow_null=True)
    responses = serializers.ListField(child=serializers.IntegerField())
    overlap = serializers.IntegerField()
    open_slots = serializers.IntegerField()
    position = serializers.IntegerField()
    created_at = serializers.DateTimeField()


CampaignPage = page_shape("Campaign", CampaignShown)
TaskPage = page_shape("Task", TaskShown)


def campaign_shown(campaign: Campaign, progress: Progress) -> dict[str, Any]:
    plain = set(members_of(CampaignShown)) - {"guideline", "cohort", "progress"}
    return {
        **{name: getattr(campaign, name) for name in plain},
        "guideline": campaign.guideline_id,
        "cohort": campaign.cohort_id,
        "progress": {name: getattr(progress, name) for name in members_of(ProgressShown)},
    }


def task_shown(task: Task) -> dict[str, Any]:
    """Needs shown prefetched."""
    plain = set(members_of(TaskShown)) - {"campaign", "prompt", "responses"}
    return {
        **{name: getattr(task, name) for name in plain},
        "campaign": task.campaign_id,
        "prompt": task.prompt_id,
        "responses": [one.response_id for one in task.shown.all()],
    }


class CampaignResource(Resource):
    """An address below one campaign."""

    tag = "campaigns"

    def campaign(self, campaign_id: int) -> Campaign:
        found = Campaign.objects.filter(project=self.project).select_related("guideline")
        return found_or_404(found, pk=campaign_id)

    def answer(self, campaign_id: int, *, status: int = 200) -> Response:
        campaign = self.campaign(campaign_id)
        return Response(campaign_shown(campaign, progress_of([campaign])[campaign.pk]), status=status)

    def with_rows(self, said: dict[str, Any]) -> dict[str, Any]:
        """Rows in place of their numbers. Raises InvalidSetting for a number of none here."""
        rows: dict[str, Any] = {"guideline": Guideline.objects, "cohort": Cohort.objects}
        for name, manager in rows.items():
            if said.get(name) is not None:
                row = manager.filter(project=self.project, pk=said[name]).first()
                if row is None:
                    raise InvalidSetting(f"There is no {name} {said[name]} in the project.")
                said = {**said, name: row}
        return said


class CampaignsView(CampaignResource):
    allows = {"GET": READS, "POST": WRITES}

    @operation("The project's campaigns.", query=CampaignFilter, gives=CampaignPage, name="list_campaigns")
    def get(self, request: Request, slug: str) -> Response:
        found = Campaign.objects.filter(project=self.project)
        for name in ("kind", "state"):
            if name in self.query:
                found = found.filter(**{name: self.query[name]})
        page = page_of(found, self.query, lambda campaign: campaign)
        progress = progress_of(page["items"])
        return Response(page | {"items": [campaign_shown(one, progress[one.pk]) for one in page["items"]]})

    @operation(
        "Makes a campaign, a draft without tasks. Put tasks in, then open it; prompt writing makes its own as they are "
        "claimed.",
        takes=CampaignSent,
        gives=CampaignShown,
        status=201,
        name="create_campaign",
    )
    def post(self, request: Request, slug: str) -> Response:
        said = self.sent(request)
        kind = WorkKind(said.pop("kind"))
        made = create_without_tasks(self.project, kind, self.with_rows(said))
        return self.answer(made.pk, status=201)


class CampaignView(CampaignResource):
    allows = {"GET": READS, "PATCH": WRITES, "DELETE": WRITES}
    moving = frozenset({"progress"})

    @operation("One campaign, with how far it is.", gives=CampaignShown, name="read_campaign")
    def get(self, request: Request, slug: str, campaign_id: int) -> Response:
        return self.answer(campaign_id)

    @operation("Changes settings.", takes=CampaignChanged, gives=CampaignShown, name="change_campaign")
    def patch(self, request: Request, slug: str, campaign_id: int) -> Response:
        change_settings(self.campaign(campaign_id), self.with_rows(self.sent(request)))
        return self.answer(campaign_id)

    @operation("Deletes a draft and its tasks.", status=204, name="delete_campaign")
    def delete(self, request: Request, slug: str, campaign_id: int) -> Response:
        delete_campaign(self.campaign(campaign_id))
        return Response(status=204)


class OpenView(CampaignResource):
    allows = {"POST": WRITES}

    @operation(
        "Hands the work out: of a draft or paused campaign; of a pilot, the rest too.",
        takes=OpenSent,
        gives=CampaignShown,
        name="open_campaign",
    )
    def post(self, request: Request, slug: str, campaign_id: int) -> Response:
        campaign, pilot = self.campaign(campaign_id), self.sent(request).get("pilot_tasks")
        if pilot is not None:
            open_as_pilot(campaign, pilot)
        elif campaign.state == Campaign.State.OPEN and campaign.pilot_tasks is not None:
            open_to_all(campaign)
        else:
            open_campaign(campaign)
        return self.answer(campaign_id)


class PauseView(CampaignResource):
    allows = {"POST": WRITES}

    @operation(
        "Hands out nothing more for now; what is in hand can be submitted.", gives=CampaignShown, name="pause_campaign"
    )
    def post(self, request: Request, slug: str, campaign_id: int) -> Response:
        pause_campaign(self.campaign(campaign_id))
        return self.answer(campaign_id)


class CloseView(CampaignResource):
    allows = {"POST": WRITES}
    apart = True

    @operation("Ends the campaign.", takes=CloseSent, gives=CampaignShown, name="close_campaign")
    def post(self, request: Request, slug: str, campaign_id: int) -> Response:
        close_campaign(self.campaign(campaign_id), release=self.sent(request).get("release", False))
        return self.answer(campaign_id)


class OverlapView(CampaignResource):
    allows = {"POST": WRITES}

    @operation("Wants every task from so many labelers.", takes=OverlapSent, gives=CampaignShown, name="change_overlap")
    def post(self, request: Request, slug: str, campaign_id: int) -> Response:
        change_overlap(self.campaign(campaign_id), self.sent(request)["overlap"])
        return self.answer(campaign_id)


class TasksView(CampaignResource):
    allows = {"GET": READS, "POST": WRITES}

    @operation("The campaign's tasks.", query=Paged, gives=TaskPage, name="list_tasks")
    def get(self, request: Request, slug: str, campaign_id: int) -> Response:
        found = Task.objects.filter(campaign=self.campaign(campaign_id)).prefetch_related("shown")
        return Response(page_of(found, self.query, task_shown))

    @operation(
        f"Puts up to {MOST_TASKS:,} tasks in. All or nothing.",
        takes=TasksSent,
        gives=TasksMade,
        status=201,
        name="create_tasks",
    )
    def post(self, request: Request, slug: str, campaign_id: int) -> Response:
        campaign, said = self.campaign(campaign_id), self.sent(request)["tasks"]
        prompts = Prompt.objects.filter(project=self.project).in_bulk({one["prompt"] for one in said})
        wanted = {pk for one in said for pk in one.get("responses", [])}
        texts = ResponseText.objects.filter(prompt__project=self.project).in_bulk(wanted)
        for name, there, numbers in (
            ("prompt", prompts, {one["prompt"] for one in said}),
            ("response", texts, wanted),
        ):
            if missing := numbers - set(there):
                raise InvalidSetting(f"There is no {name} {min(missing)} in the project.")
        items = [(prompts[one["prompt"]], [texts[pk] for pk in one.get("responses", [])]) for one in said]
        return Response({"ids": [task.pk for task in make_tasks(campaign, items)]}, status=201)


class TaskView(CampaignResource):
    allows = {"GET": READS}

    @operation("One task.", gives=TaskShown, name="read_task")
    def get(self, request: Request, slug: str, campaign_id: int, task_id: int) -> Response:
        found = Task.objects.filter(campaign=self.campaign(campaign_id)).prefetch_related("shown")
        return Response(task_shown(found_or_404(found, pk=task_id)))
