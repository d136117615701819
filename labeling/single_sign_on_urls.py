"""The way to the identity provider and back; of allauth's addresses those that are needed."""

from allauth.socialaccount.providers.openid_connect.views import callback
from allauth.socialaccount.views import login_cancelled, login_error
from django.urls import path

from labeling.views import single_sign_on

urlpatterns = [
    path("cancelled/", login_cancelled, name="socialaccount_login_cancelled"),
    path("error/", login_error, name="socialaccount_login_error"),
    path("<slug:provider_id>/login/", single_sign_on.begin, name="openid_connect_login"),
    path("<slug:provider_id>/login/callback/", callback, name="openid_connect_callback"),
    path("<slug:provider_id>/again/", single_sign_on.again, name="sign_in_again_elsewhere"),
]
