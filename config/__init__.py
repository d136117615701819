"""Settings, addresses and doors. Celery's app is loaded with them, so that a task rung from anywhere goes to Redis."""

from config.celery import app as celery_app

__all__ = ["celery_app"]
