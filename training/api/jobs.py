"""Jobs and their metrics, checkpoints, snapshots."""

from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from labeling.access import READS_DATA, RESEARCHES
from labeling.api.fields import Shown, WholeParameter, members_of
from labeling.api.paging import MOST_A_PAGE, Paged, page_of, page_shape
from labeling.api.resource import Allowed, Resource, found_or_404, operation
from labeling.scopes import Scope
from training import jobs
from training.models import Checkpoint, Job, Metric, Snapshot

READS, TRAINS = Allowed(READS_DATA, Scope.READ), Allowed(RESEARCHES, Scope.TRAIN)


class JobError(Shown):
    code = serializers.CharField()
    message = serializers.CharField()


class JobShown(Shown):
    """One run of a stage on a machine."""

    id = serializers.IntegerField()
    kind = serializers.ChoiceField(Job.Kind.choices)
    state = serializers.ChoiceField(Job.State.choices)
    wanted = serializers.ChoiceField(Job.Wanted.choices)
    queue = serializers.ChoiceField(Job.Queue.choices)
    round = serializers.IntegerField(allow_null=True)
    stage = serializers.CharField(allow_null=True)
    attempt = serializers.IntegerField()
    step = serializers.IntegerField()
    steps = serializers.IntegerField(allow_null=True)
    phase = serializers.CharField()
    seconds_left = serializers.FloatField(allow_null=True)
    error = JobError(allow_null=True)
    inputs = serializers.DictField(child=serializers.CharField(), help_text="By role: snapshot 3, checkpoint 7.")
    created_at = serializers.DateTimeField()
    started_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)


class JobFilter(Paged):
    state = serializers.ChoiceField(Job.State.choices, required=False)
    kind = serializers.ChoiceField(Job.Kind.choices, required=False)


class MetricShown(Shown):
    """What a stage wrote at a step; a number that was not finite is null (docs/metrics.md)."""

    step = serializers.IntegerField()
    split = serializers.CharField()
    values = serializers.DictField(child=serializers.JSONField(allow_null=True))


class MetricList(Shown):
    items = MetricShown(many=True)
    next = serializers.CharField(allow_null=True)


class MetricFilter(Paged):
    cursor = WholeParameter(low=0, help_text='Steps after this one: "next" of the page before.')
    limit = WholeParameter(high=MOST_A_PAGE, help_text=f"Steps on the page; {MOST_A_PAGE} where it is not said.")


class CheckpointShown(Shown):
    """Weights, and where they came from."""

    id = serializers.IntegerField()
    name = serializers.CharField()
    kind = serializers.ChoiceField(Checkpoint.Kind.choices)
    sha256 = serializers.CharField()
    generator = serializers.IntegerField(allow_null=True)
    job = serializers.IntegerField(allow_null=True)
    parents = serializers.ListField(child=serializers.IntegerField())
    created_at = serializers.DateTimeField()


class SnapshotShown(Shown):
    """Records frozen into a file: the data of jobs."""

    id = serializers.IntegerField()
    kind = serializers.ChoiceField(Snapshot.Kind.choices)
    rows = serializers.IntegerField()
    bytes = serializers.IntegerField()
    sha256 = serializers.CharField()
    query = serializers.DictField(child=serializers.JSONField(allow_null=True))
    report = serializers.DictField(child=serializers.JSONField(allow_null=True))
    created_at = serializers.DateTimeField()


JobPage = page_shape("Job", JobShown)
CheckpointPage = page_shape("Checkpoint", CheckpointShown)
SnapshotPage = page_shape("Snapshot", SnapshotShown)


def job_shown(job: Job) -> dict[str, Any]:
    """Needs stage__round; inputs prefetched."""
    special = {"round", "stage", "error", "inputs"}
    error = job.error or None
    return {
        **{name: getattr(job, name) for name in members_of(JobShown) if name not in special},
        "round": job.stage.round.number if job.stage else None,
        "stage": job.stage.kind if job.stage else None,
        "error": {"code": str(error.get("code", "")), "message": str(error.get("message", ""))} if error else None,
        "inputs": {
            one.role: f"snapshot {one.snapshot_id}" if one.snapshot_id else f"checkpoint {one.checkpoint_id}"
            for one in job.inputs.all()
        },
    }


class JobResource(Resource):
    """An address below one job."""

    tag = "jobs"

    def jobs(self) -> Any:
        found = Job.objects.filter(project=self.project)
        return found.select_related("stage__round", "project").prefetch_related("inputs")

    def job(self, job_id: int) -> Job:
        found: Job = found_or_404(self.jobs(), pk=job_id)
        return found


class JobsView(JobResource):
    allows = {"GET": READS}

    @operation("The project's jobs, the newest first.", query=JobFilter, gives=JobPage, name="list_jobs")
    def get(self, request: Request, slug: str) -> Response:
        found = self.jobs()
        for name in ("state", "kind"):
            if name in self.query:
                found = found.filter(**{name: self.query[name]})
        return Response(page_of(found, self.query, job_shown, newest_first=True))


class JobView(JobResource):
    allows = {"GET": READS}

    @operation("One job.", gives=JobShown, name="read_job")
    def get(self, request: Request, slug: str, job_id: int) -> Response:
        return Response(job_shown(self.job(job_id)))


class PauseView(JobResource):
    allows = {"POST": TRAINS}

    @operation("Asks a job to write a checkpoint and stop.", gives=JobShown, name="pause_job")
    def post(self, request: Request, slug: str, job_id: int) -> Response:
        jobs.ask_pause(self.job(job_id))
        return Response(job_shown(self.job(job_id)))


class CancelView(JobResource):
    allows = {"POST": TRAINS}

    @operation("Asks a job to end.", gives=JobShown, name="cancel_job")
    def post(self, request: Request, slug: str, job_id: int) -> Response:
        jobs.ask_cancel(self.job(job_id))
        return Response(job_shown(self.job(job_id)))


class ResumeView(JobResource):
    allows = {"POST": TRAINS}

    @operation("Lets a paused, failed or cancelled job go on.", gives=JobShown, name="resume_job")
    def post(self, request: Request, slug: str, job_id: int) -> Response:
        jobs.resume(self.job(job_id))
        return Response(job_shown(self.job(job_id)))


class MetricsView(JobResource):
    allows = {"GET": READS}

    @operation("What the job wrote, step by step.", query=MetricFilter, gives=MetricList, name="list_metrics")
    def get(self, request: Request, slug: str, job_id: int) -> Response:
        found = Metric.objects.filter(job=self.job(job_id))
        if "cursor" in self.query:
            found = found.filter(step__gt=self.query["cursor"])
        limit = self.query.get("limit", MOST_A_PAGE)
        # Whole steps only: a step has a line for each split.
        steps = list(found.order_by("step").values_list("step", flat=True).distinct()[: limit + 1])
        rows = found.filter(step__lte=steps[:limit][-1]) if steps else found.none()
        items = [{"step": one.step, "split": one.split, "values": one.values} for one in rows.order_by("step", "split")]
        return Response({"items": items, "next": str(steps[limit - 1]) if len(steps) > limit else None})


def checkpoint_shown(checkpoint: Checkpoint) -> dict[str, Any]:
    special = {"generator", "job", "parents"}
    return {
        **{name: getattr(checkpoint, name) for name in members_of(CheckpointShown) if name not in special},
        "generator": checkpoint.generator_id,
        "job": checkpoint.job_id,
        "parents": [parent.pk for parent in checkpoint.parents.all()],
    }


def snapshot_shown(snapshot: Snapshot) -> dict[str, Any]:
    return {name: getattr(snapshot, name) for name in members_of(SnapshotShown)}


class CheckpointsView(Resource):
    tag = "models"
    allows = {"GET": READS}

    @operation("Checkpoints, the newest first.", query=Paged, gives=CheckpointPage, name="list_checkpoints")
    def get(self, request: Request, slug: str) -> Response:
        found = Checkpoint.objects.filter(project=self.project).prefetch_related("parents")
        return Response(page_of(found, self.query, checkpoint_shown, newest_first=True))


class CheckpointView(Resource):
    tag = "models"
    allows = {"GET": READS}

    @operation("One checkpoint.", gives=CheckpointShown, name="read_checkpoint")
    def get(self, request: Request, slug: str, checkpoint_id: int) -> Response:
        found = Checkpoint.objects.filter(project=self.project).prefetch_related("parents")
        return Response(checkpoint_shown(found_or_404(found, pk=checkpoint_id)))


class SnapshotsView(Resource):
    tag = "models"
    allows = {"GET": READS}

    @operation("The project's snapshots, the newest first.", query=Paged, gives=SnapshotPage, name="list_snapshots")
    def get(self, request: Request, slug: str) -> Response:
        found = Snapshot.objects.filter(project=self.project)
        return Response(page_of(found, self.query, snapshot_shown, newest_first=True))


class SnapshotView(Resource):
    tag = "models"
    allows = {"GET": READS}

    @operation("One snapshot.", gives=SnapshotShown, name="read_snapshot")
    def get(self, request: Request, slug: str, snapshot_id: int) -> Response:
        return Response(snapshot_shown(found_or_404(Snapshot.objects.filter(project=self.project), pk=snapshot_id)))
