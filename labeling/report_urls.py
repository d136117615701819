"""Addresses of the reports: what the judgments of a project say of those who made them."""

from django.urls import path

from labeling.views import adjudicate, agreement, qualifications, quality

PROJECT = "projects/<slug:slug>/"
CAMPAIGN = f"{PROJECT}campaigns/<int:campaign_id>/"
QUALIFICATION = f"{PROJECT}qualifications/<int:qualification_id>/"

urlpatterns = [
    path(f"{PROJECT}agreement/", agreement.agreement, name="agreement"),
    path(f"{PROJECT}agreement.json", agreement.agreement_json, name="agreement_json"),
    path(f"{PROJECT}quality/", quality.quality, name="quality"),
    path(f"{PROJECT}quality.json", quality.quality_json, name="quality_json"),
    path(f"{PROJECT}qualifications/", qualifications.qualification_list, name="qualifications"),
    path(QUALIFICATION, qualifications.qualification, name="qualification"),
    path(f"{QUALIFICATION}mine/", qualifications.my_qualification, name="my_qualification"),
    path(f"{QUALIFICATION}grade/<int:submission_id>/", qualifications.grade, name="grade"),
    path(f"{QUALIFICATION}tries/<int:try_id>/", qualifications.decide_try, name="decide_try"),
    path(f"{CAMPAIGN}disputes/", adjudicate.dispute_list, name="disputes"),
    path(f"{CAMPAIGN}disputes/<int:task_id>/", adjudicate.decide, name="decide"),
    path(f"{CAMPAIGN}ask-again/", quality.ask_again, name="ask_again"),
]
