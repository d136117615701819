"""Addresses of the labelers' pages."""

from django.urls import path

from labeling.views import home, link

urlpatterns = [
    path("", home.home, name="home"),
    path("link/<str:token>/", link.sign_in_by_link, name="sign_in_link"),
]
