"""Addresses of the console's pages about a project as a whole, rounds, jobs and models."""

from django.urls import path

from training.views import (
    alarms,
    bias,
    checkpoints,
    comparison,
    erasures,
    evaluation,
    job_pages,
    jobs,
    matrix,
    origins,
    overview,
    rehearse,
    round_acts,
    rounds,
    status,
    workers,
)

ROUND = "projects/<slug:slug>/rounds/<int:number>/"
JOB = f"{ROUND}jobs/<int:job_id>/"
MODEL = "projects/<slug:slug>/models/<int:checkpoint_id>/"

urlpatterns = [
    path("projects/<slug:slug>/bias/", bias.bias, name="bias"),
    path("projects/<slug:slug>/bias.json", bias.bias_json, name="bias_json"),
    path("projects/<slug:slug>/groups/", matrix.matrix, name="matrix"),
    path("projects/<slug:slug>/groups.json", matrix.matrix_json, name="matrix_json"),
    path("projects/<slug:slug>/overview/", overview.overview, name="project"),
    path("projects/<slug:slug>/rounds/", rounds.round_list, name="rounds"),
    path("projects/<slug:slug>/rehearse/", rehearse.rehearse_round, name="rehearse"),
    path(ROUND, rounds.round_page, name="round"),
    path(f"{ROUND}evaluation/", evaluation.evaluation, name="evaluation"),
    path(f"{ROUND}evaluation/<int:campaign_id>/", evaluation.earlier_evaluation, name="earlier_evaluation"),
    path(f"{ROUND}close", rounds.close, name="close_round"),
    path(f"{ROUND}next", round_acts.open_next, name="next_round"),
    path(f"{ROUND}running", round_acts.running, name="round_running"),
    path(f"{ROUND}compare/", comparison.compare_rounds, name="compare_rounds"),
    path(f"{ROUND}stages/<slug:kind>/launch", rounds.launch, name="launch"),
    path(f"{ROUND}stages/<slug:kind>/check", rounds.check, name="check_launch"),
    path(f"{ROUND}stages/<slug:kind>/wait", round_acts.wait, name="stage_wait"),
    path(f"{JOB}cancel", jobs.cancel, name="cancel_job"),
    path(f"{JOB}pause", jobs.pause, name="pause_job"),
    path(f"{JOB}resume", jobs.resume, name="resume_job"),
    path(f"{JOB}metrics", jobs.metrics, name="job_metrics"),
    path(f"{JOB}log", jobs.log, name="job_log"),
    path(f"{JOB}samples", jobs.samples, name="job_samples"),
    path("projects/<slug:slug>/models/", checkpoints.checkpoint_list, name="checkpoints"),
    path(MODEL, checkpoints.checkpoint, name="checkpoint"),
    path(f"{MODEL}card/", origins.card, name="model_card"),
    path(f"{MODEL}delete/", origins.delete_checkpoint, name="delete_checkpoint"),
    path("projects/<slug:slug>/submissions/<int:submission_id>/", origins.submission, name="submission"),
    path("projects/<slug:slug>/disk/", origins.disk, name="disk"),
    path("projects/<slug:slug>/alarms/<int:alarm_id>/seen", alarms.seen, name="alarm_seen"),
    path("projects/<slug:slug>/workers/", workers.worker_list, name="workers"),
    path("projects/<slug:slug>/erasures/", erasures.erasures, name="erasures"),
    path("projects/<slug:slug>/status/", status.status, name="status"),
    path("projects/<slug:slug>/jobs/", job_pages.job_list, name="jobs"),
    path("projects/<slug:slug>/jobs/<int:job_id>/", job_pages.job, name="job"),
]
