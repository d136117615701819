"""The Celery door of exports and imports. What is to be done stands in their tables; a message only says look."""

from celery import shared_task

from labeling.transferring import run_waiting


@shared_task
def move_files() -> None:
    run_waiting()
