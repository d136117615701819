"""Addresses of the REST API about what machines do, below /api/v1/."""

from django.urls import path

from training.api import jobs, rounds

PROJECT = "projects/<slug:slug>"
ROUND = f"{PROJECT}/rounds/<int:number>"
JOB = f"{PROJECT}/jobs/<int:job_id>"

urlpatterns = [
    path(f"{PROJECT}/rounds", rounds.RoundsView.as_view(), name="api_rounds"),
    path(ROUND, rounds.RoundView.as_view(), name="api_round"),
    path(f"{ROUND}/close", rounds.CloseView.as_view(), name="api_close_round"),
    path(f"{ROUND}/next", rounds.NextView.as_view(), name="api_next_round"),
    path(f"{ROUND}/stages/<slug:kind>/launch", rounds.LaunchView.as_view(), name="api_launch"),
    path(f"{ROUND}/evaluations", rounds.EvaluationsView.as_view(), name="api_evaluations"),
    path(f"{PROJECT}/jobs", jobs.JobsView.as_view(), name="api_jobs"),
    path(JOB, jobs.JobView.as_view(), name="api_job"),
    path(f"{JOB}/pause", jobs.PauseView.as_view(), name="api_pause_job"),
    path(f"{JOB}/cancel", jobs.CancelView.as_view(), name="api_cancel_job"),
    path(f"{JOB}/resume", jobs.ResumeView.as_view(), name="api_resume_job"),
    path(f"{JOB}/metrics", jobs.MetricsView.as_view(), name="api_metrics"),
    path(f"{PROJECT}/checkpoints", jobs.CheckpointsView.as_view(), name="api_checkpoints"),
    path(f"{PROJECT}/checkpoints/<int:checkpoint_id>", jobs.CheckpointView.as_view(), name="api_checkpoint"),
    path(f"{PROJECT}/snapshots", jobs.SnapshotsView.as_view(), name="api_snapshots"),
    path(f"{PROJECT}/snapshots/<int:snapshot_id>", jobs.SnapshotView.as_view(), name="api_snapshot"),
]
