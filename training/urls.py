"""Addresses of the console's pages about rounds and jobs."""

from django.urls import path

from training.views import jobs, rounds

ROUND = "projects/<slug:slug>/rounds/<int:number>/"
JOB = f"{ROUND}jobs/<int:job_id>/"

urlpatterns = [
    path("projects/<slug:slug>/rounds/", rounds.round_list, name="rounds"),
    path(ROUND, rounds.round_page, name="round"),
    path(f"{ROUND}close", rounds.close, name="close_round"),
    path(f"{ROUND}stages/<slug:kind>/launch", rounds.launch, name="launch"),
    path(f"{JOB}cancel", jobs.cancel, name="cancel_job"),
    path(f"{JOB}pause", jobs.pause, name="pause_job"),
    path(f"{JOB}resume", jobs.resume, name="resume_job"),
    path(f"{JOB}metrics", jobs.metrics, name="job_metrics"),
    path(f"{JOB}log", jobs.log, name="job_log"),
]
