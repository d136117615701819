"""Background: asked, answered with consent, counted in groups of five and more, withdrawn with all that follows.

Who answered what is shown to nobody. A cohort may be filled by a rule from the answers; owners see who is in it only
where it has at least five members.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import F, Min, OuterRef, Q, Subquery, Value
from django.db.models.functions import Greatest
from django.utils import timezone
from django.utils.translation import gettext

from labeling.errors import InvalidSetting, WrongState
from labeling.models import Background, BackgroundForm, Cohort, CohortMember, Labeler, Project, Submission

FEWEST_SHOWN = 5
"""Below so many people a count is not shown, nor anything from which it could be worked out."""
MOST_QUESTIONS, MOST_CHOICES, LONGEST = 20, 40, 80


def read_questions(text: str) -> list[dict[str, object]]:
    """Lines "Age: 18 to 24 | 25 to 34 | 35 and over", a question each. Raises InvalidSetting with the line."""
    questions: list[dict[str, object]] = []
    for line in text.splitlines():
        if not line.strip():
            continue
        label, colon, rest = line.partition(":")
        choices = list(dict.fromkeys(choice.strip() for choice in rest.split("|") if choice.strip()))
        name = "_".join(label.lower().split())[:LONGEST]
        if not colon or not name or not 2 <= len(choices) <= MOST_CHOICES or any(len(one) > LONGEST for one in choices):
            raise InvalidSetting(f"{line.strip()[:60]!r} is no question; write it as “Age: 18 to 24 | 25 to 34 | …”.")
        if any(one["name"] == name for one in questions):
            raise InvalidSetting(f"{label.strip()[:60]!r} is asked twice.")
        questions.append({"name": name, "label": label.strip()[:LONGEST], "choices": choices})
    if len(questions) > MOST_QUESTIONS:
        raise InvalidSetting(f"{len(questions)} questions are too many; at most {MOST_QUESTIONS}.")
    return questions


def form_of(project: Project) -> BackgroundForm:
    """What the project asks; nothing where it never said."""
    return BackgroundForm.objects.filter(project=project).first() or BackgroundForm(project=project)


def answer(labeler: Labeler, answers: Mapping[str, str], *, consents: bool) -> Background:
    """Keeps a labeler's answers, each optional, with the words they consented to; puts them into cohorts by rule.

    Raises WrongState without consent, InvalidSetting for an answer that was not offered.
    """
    form = form_of(labeler.project)
    if not consents or not form.consent:
        raise WrongState(
            gettext("Nothing is kept without your consent. Tick it, or leave the page: nobody has to answer.")
        )
    offered = {str(one["name"]): one["choices"] for one in form.questions}
    given = {name: value for name, value in answers.items() if value}
    for name, value in given.items():
        if value not in offered.get(name, ()):
            says = gettext("%(value)s is not one of the answers to %(question)s.")
            raise InvalidSetting(says % {"value": repr(value[:40]), "question": repr(name[:40])})
    with transaction.atomic():
        kept, _ = Background.objects.update_or_create(
            labeler=labeler, defaults={"answers": given, "consent": form.consent, "consented_at": timezone.now()}
        )
        apply_rules(labeler.project, [labeler])
    return kept


def withdraw(labeler: Labeler) -> list[str]:
    """Deletes the answers and every stay in a cohort that followed from them, past ones too; gives the cohorts' names.
    Models are not unlearned; the card of one that learned from the cohort alone says that somebody withdrew."""
    with transaction.atomic():
        Background.objects.filter(labeler=labeler).delete()
        filled = Cohort.objects.by_rule().filter(project=labeler.project)
        stays = CohortMember.objects.filter(labeler=labeler, cohort__in=filled)
        names = sorted(set(stays.values_list("cohort__name", flat=True)))
        stays.delete()
    return names


def fits(rule: Mapping[str, Iterable[str]], answers: Mapping[str, str]) -> bool:
    """Whether the answers are among those of the rule, for every question of it."""
    return bool(rule) and all(answers.get(name) in set(values) for name, values in rule.items())


def apply_rules(project: Project, labelers: Iterable[Labeler] | None = None) -> int:
    """Puts every labeler who fits, and has not left the project, into the cohorts that have a rule and takes out who
    does not; answers the changes.

    A stay begins when they answered, or where the trait is lasting with their first work. An answer about a lasting
    trait that is changed was never true: the stay is deleted.
    """
    now, changes = timezone.now(), 0
    left = Q(labeler__source=Labeler.Source.MEMBER, labeler__membership=None)
    found = Background.objects.filter(~left, labeler__project=project)
    if labelers is not None:
        found = found.filter(labeler__in=list(labelers))
    backgrounds = list(found)
    for cohort in Cohort.objects.by_rule().filter(project=project):
        inside = {stay.labeler_id: stay for stay in cohort.members.filter(until=None)}
        for one in backgrounds:
            wanted, stay = fits(cohort.rule, one.answers), inside.get(one.labeler_id)
            since = _first_work(one) if cohort.lasting else one.consented_at
            if wanted and stay is None:
                CohortMember.objects.create(cohort=cohort, labeler_id=one.labeler_id, since=since)
                changes += 1
            elif wanted and stay is not None and since < stay.since:
                CohortMember.objects.filter(pk=stay.pk).update(since=since)
            elif stay is not None and not wanted and cohort.lasting:
                stay.delete()
                changes += 1
            elif stay is not None and not wanted:
                CohortMember.objects.filter(pk=stay.pk).update(until=Greatest(F("since"), Value(now)))
                changes += 1
    return changes


def _first_work(background: Background) -> datetime:
    """When the labeler first submitted, or answered where that came before (one query)."""
    said = Submission.objects.filter(assignment__labeler=background.labeler_id)
    first: datetime | None = said.aggregate(first=Min("submitted_at"))["first"]
    return min(first or background.consented_at, background.consented_at)


def set_rule(cohort: Cohort, rule: Mapping[str, list[str]], *, lasting: bool = False) -> int:
    """The rule of a cohort, and who it puts in now. lasting: it asks for what does not change. Raises InvalidSetting
    without an answer or for one that is not offered, WrongState where people were put in by hand."""
    if not rule:  # A cohort without a rule names its members, and withdrawal leaves them in it.
        raise InvalidSetting(f"No answer is ticked, so no rule is kept for {cohort.name}; tick at least one.")
    offered = {str(one["name"]): one["choices"] for one in form_of(cohort.project).questions}
    for name, values in rule.items():
        unknown = [value for value in values if value not in offered.get(name, ())]
        if unknown or not values:
            raise InvalidSetting(f"{(unknown or [name])[0][:40]!r} is not offered as an answer.")
    with transaction.atomic():
        locked = Cohort.objects.select_for_update().get(pk=cohort.pk)
        if not locked.by_rule and cohort.members.filter(until=None).exists():
            raise WrongState(f"{cohort.name} has members who were put in by hand; a rule needs a cohort of its own.")
        if locked.lasting and not lasting:
            answered = Background.objects.filter(labeler=OuterRef("labeler")).values("consented_at")
            still = cohort.members.filter(until=None, labeler__background__isnull=False)
            still.update(since=Greatest(F("since"), Subquery(answered)))
        cohort.rule, cohort.lasting = dict(rule), lasting
        cohort.save(update_fields=["rule", "lasting"])
        return apply_rules(cohort.project)


def people_told(cohort: Cohort, people: int) -> int | None:
    """How many of these people in a cohort are told of: all of one filled by hand; of one by a rule in steps of five,
    None below five. By exact counts of rules that differ a little, answers of single people could be worked out."""
    return people - people % FEWEST_SHOWN or None if cohort.by_rule else people


def too_few(cohort: str, did: str) -> str:
    """What is missing before anything is told of a cohort by a rule. did: "rated"."""
    return (
        f"Fewer than {FEWEST_SHOWN} people of {cohort} {did} here while they were in it, and nothing is told of so few;"
        f" {FEWEST_SHOWN} or more would do. A rule fills it from background answers: what was said before somebody"
        " answered is not counted, but where the trait is declared lasting."
    )


# --- in aggregate -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Share:
    """One answer. count: None where it is not shown. reference: of the population that was uploaded, None where not."""

    answer: str
    count: int | None
    share: float | None
    reference: float | None


@dataclass(frozen=True)
class Asked:
    """A question in aggregate. why: what is not shown, and why."""

    label: str
    shares: list[Share]
    answered: int | None
    why: str


def in_aggregate(project: Project, *, among: Collection[int] | None = None) -> list[Asked]:
    """Every question of those who consented; nothing that speaks of fewer than five people.

    among: labelers' primary keys; only their answers are counted, and what would tell, beside the table of everybody,
    the answer of fewer than five others is not shown either.
    """
    form = form_of(project)
    given = list(Background.objects.filter(labeler__project=project).values_list("labeler_id", "answers"))
    inside = [answers for labeler, answers in given if among is None or labeler in among]
    others = [answers for labeler, answers in given if among is not None and labeler not in among]
    return [
        _asked(question, inside, others, form.reference.get(str(question["name"]), {})) for question in form.questions
    ]


def _asked(
    question: Mapping[str, object], given: list[dict[str, str]], others: list[dict[str, str]],
    reference: Mapping[str, float],
) -> Asked:  # fmt: skip
    choices = [str(choice) for choice in question["choices"]]  # type: ignore[attr-defined]
    name, label = str(question["name"]), str(question["label"])
    counts = Counter(answers[name] for answers in given if name in answers)
    beside = Counter(answers[name] for answers in others if name in answers)
    total = sum(counts.values())
    if total < FEWEST_SHOWN:
        nothing = [Share(one, None, None, reference.get(one)) for one in choices]
        return Asked(label, nothing, None, f"Fewer than {FEWEST_SHOWN} people answered.")

    def speaks_of_few(some: Collection[str]) -> bool:
        return any(0 < sum(of[one] for one in some) < FEWEST_SHOWN for of in (counts, beside))

    hidden = {one for one in choices if speaks_of_few([one])}
    shown = sorted((one for one in choices if one not in hidden and counts[one]), key=lambda one: counts[one])
    # Hidden counts that sum to fewer than five, or one alone, could be worked out from the total: hide the next too.
    while hidden and shown and (len(hidden) == 1 or speaks_of_few(hidden)):
        hidden.add(shown.pop(0))
    shares = [
        Share(one, None, None, reference.get(one))
        if one in hidden
        else Share(one, counts[one], counts[one] / total, reference.get(one))
        for one in choices
    ]
    return Asked(label, shares, total, f"Answers of fewer than {FEWEST_SHOWN} people are not shown." if hidden else "")


def read_reference(project: Project, text: str) -> dict[str, dict[str, float]]:
    """A population from CSV lines "question,answer,share"; shares of a question sum to about 1, or are per cent.

    Raises InvalidSetting naming the line.
    """
    offered = {str(one["label"]).lower(): one for one in form_of(project).questions}
    found: dict[str, dict[str, float]] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        cells = [cell.strip() for cell in line.split(",")]
        if not line.strip() or (number == 1 and cells[-1].lower() == "share"):
            continue
        question = offered.get(cells[0].lower()) if len(cells) == 3 else None
        if question is None or cells[1] not in question["choices"] or not _is_share(cells[2]):
            raise InvalidSetting(
                f"Line {number}, {line[:60]!r}, is not “question,answer,share” as they are asked here."
            )
        found.setdefault(str(question["name"]), {})[cells[1]] = float(cells[2])
    for name, shares in found.items():
        total = sum(shares.values())
        if not (0.95 <= total <= 1.05 or 95 <= total <= 105):
            raise InvalidSetting(f"The shares of {name!r} sum to {total:g}; expected 1, or 100 per cent.")
        found[name] = {one: share / total for one, share in shares.items()}
    return found


def _is_share(text: str) -> bool:
    digits = text.replace(".", "", 1)
    return digits.isascii() and digits.isdigit() and len(text) < 12 and float(text) <= 100
