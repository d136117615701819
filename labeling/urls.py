"""Addresses of the labelers' pages."""

from django.urls import path

from labeling.views import draft, guideline, home, link, queue, skip, task

urlpatterns = [
    path("", home.home, name="home"),
    path("link/<str:token>/", link.sign_in_by_link, name="sign_in_link"),
    path("projects/<slug:slug>/", queue.queue, name="queue"),
    path("projects/<slug:slug>/campaigns/<int:campaign_id>/next/", task.take_next, name="take_next"),
    path("projects/<slug:slug>/tasks/<uuid:uuid>/", task.task, name="task"),
    path("projects/<slug:slug>/tasks/<uuid:uuid>/draft/", draft.draft, name="draft"),
    path("projects/<slug:slug>/tasks/<uuid:uuid>/skip/", skip.skip_task, name="skip"),
    path("projects/<slug:slug>/guidelines/<int:guideline_id>/", guideline.guideline, name="guideline"),
]
