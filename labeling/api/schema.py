"""The schema of the API, served."""

from typing import Any

from drf_spectacular.views import SpectacularJSONAPIView
from rest_framework.permissions import AllowAny


class SchemaView(SpectacularJSONAPIView):
    """GET /api/v1/schema: for everybody, since it tells of the program and of nobody's data."""

    authentication_classes: Any = []
    permission_classes = [AllowAny]
    throttle_classes: Any = []
