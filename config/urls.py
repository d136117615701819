"""Every address of the site. A room's own addresses stand in its urls.py."""

from django.contrib import admin
from django.urls import include, path, re_path

from config import health, metrics
from labeling.api.errors import unknown_address

handler400 = "labeling.views.too_large.bad_request"
handler500 = "labeling.views.failed.failed"

urlpatterns = [
    path("health/live", health.live, name="health_live"),
    path("health/ready", health.ready, name="health_ready"),
    path("metrics", metrics.metrics, name="metrics"),
    path("admin/", admin.site.urls),
    path("accounts/", include("allauth.account.urls")),
    path("accounts/2fa/", include("allauth.mfa.urls")),
    path("accounts/oidc/", include("labeling.single_sign_on_urls")),
    path("api/v1/", include("labeling.api.urls")),
    path("api/v1/", include("training.api.urls")),
    path("", include("labeling.urls")),
    path("", include("labeling.people_urls")),
    path("", include("labeling.data_urls")),
    path("", include("labeling.report_urls")),
    path("", include("training.urls")),
    # Last: below /api/ even an address that does not exist answers in JSON.
    re_path(r"^api/", unknown_address),
]
