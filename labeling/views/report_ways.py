"""The reports of a project, so that each leads to the others."""

from django.urls import reverse

WAYS = (("agreement", "Agreement"), ("quality", "Quality of work"), ("matrix", "Groups"), ("bias", "Bias report"))


def ways_for(slug: str) -> list[tuple[str, str]]:
    """Address and words of each report."""
    return [(reverse(name, args=[slug]), words) for name, words in WAYS]
