"""What a labeler says of themselves, and where: their background, their qualifications, what they would rather not
read. Their home links to each, with how it stands."""

from dataclasses import dataclass

from django.db.models import Prefetch, Q
from django.urls import reverse
from django.utils.translation import gettext, gettext_lazy

from labeling.backgrounds import form_of
from labeling.distress import words_of
from labeling.models import Background, Campaign, Labeler, Qualification, QualificationTry

State = QualificationTry.State

BECAME = {
    State.OPEN: gettext_lazy("under way"),
    State.PASSED: gettext_lazy("passed"),
    State.FAILED: gettext_lazy("not passed"),
    State.SUSPENDED: gettext_lazy("probation ended"),
}


@dataclass(frozen=True)
class OwnPage:
    """state: how it stands, in a few words."""

    address: str
    words: str
    state: str


def own_pages(labeler: Labeler) -> list[OwnPage]:
    """Those that there is something to do or to see on (four queries)."""
    slug = labeler.project.slug
    avoided = words_of(labeler.avoids) or gettext("nothing")
    found = [OwnPage(reverse("avoided", args=[slug]), gettext("Kept from you"), avoided)]
    told = Background.objects.filter(labeler=labeler).exists()
    if told or form_of(labeler.project).questions:
        state = gettext("told") if told else gettext("not told")
        found.append(OwnPage(reverse("background", args=[slug]), gettext("Your background"), state))
    for one in _qualifications(labeler):
        latest = next(iter(one.attempts.all()), None)
        state = str(BECAME[State(latest.state)]) if latest else gettext("not begun")
        found.append(OwnPage(reverse("my_qualification", args=[slug, one.pk]), one.name, state))
    return found


def _qualifications(labeler: Labeler) -> list[Qualification]:
    """Those that the labeler tried or could try, each with their own tries, the latest first."""
    open_to_all = Q(screenings__campaign__state=Campaign.State.OPEN)
    theirs = Qualification.objects.filter(open_to_all | Q(attempts__labeler=labeler), project=labeler.project_id)
    tries = QualificationTry.objects.filter(labeler=labeler).order_by("-number")
    return list(theirs.distinct().order_by("name").prefetch_related(Prefetch("attempts", tries)))
