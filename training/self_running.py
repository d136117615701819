"""Rounds that run themselves: a stage is started as soon as what it waits for is done.

A refusal is kept with the stage, shown there, and announced once. The stage is tried again after a while: what was
missing may have come.
"""

import logging
from collections.abc import Iterator
from datetime import timedelta

from django.db import InterfaceError, OperationalError, transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Now

from labeling.errors import Refusal
from training.announcing import note_refusal
from training.contenders import usual_choices
from training.errors import RoundRefused
from training.models import Round, Stage
from training.rounds import advance, launch, open_ranking_campaign

log = logging.getLogger(__name__)

TRIED_AGAIN_AFTER = timedelta(minutes=5)
"""A refused stage: a launch reads all its records, too much for every sweep."""


def unfinished() -> Iterator[Round]:
    """Rounds in which something may have to be started."""
    states = (Stage.State.WAITING, Stage.State.READY)
    found = Round.objects.filter(runs_itself=True, recorded="", state=Round.State.OPEN, stages__state__in=states)
    yield from found.select_related("project").distinct()


def run_by_itself(round_: Round) -> list[Stage]:
    """Moves the round on and starts every stage that is ready; returns those that changed."""
    changed = advance(round_)
    for stage in _to_start(round_).order_by("place"):
        started = _start(round_, stage)
        changed += [started] if started else []
    return changed


def _to_start(round_: Round) -> QuerySet[Stage]:
    """Those that are ready and were not refused, or not lately."""
    tried_lately = Q(refused_at__gt=Now() - TRIED_AGAIN_AFTER) & ~Q(refusal="")
    return round_.stages.filter(state=Stage.State.READY).exclude(tried_lately)


def _start(round_: Round, stage: Stage) -> Stage | None:
    """None where another worker was faster. Several may look at once: the round's row decides."""
    try:
        with transaction.atomic():
            # The round before its stages, as everybody who locks both does.
            Round.objects.select_for_update().get(pk=round_.pk)
            if not _to_start(round_).filter(pk=stage.pk).exists():
                return None
            if stage.kind == Stage.Kind.RANK:
                open_ranking_campaign(
                    round_, overlap=round_.recipe.get("overlap", 1), room=round_.recipe.get("by_hand", 0)
                )
            else:
                choices = usual_choices(stage) if stage.kind == Stage.Kind.EVALUATE else None
                launch(round_, stage.kind, choices=choices)
    except Refusal as refused:
        log.warning("round %s of %s: %s was not started: %s", round_.number, round_.project.slug, stage.kind, refused)
        _refuse(stage, str(refused))
    except (OperationalError, InterfaceError):
        raise
    except Exception as error:
        log.exception("round %s of %s: %s failed to start", round_.number, round_.project.slug, stage.kind)
        _refuse(stage, f"It failed to start: {type(error).__name__}: {error}. The worker's log has the traceback.")
    stage.refresh_from_db()
    return stage


def _refuse(stage: Stage, sentence: str) -> None:
    with transaction.atomic():
        held = Stage.objects.select_for_update().filter(pk=stage.pk, state=Stage.State.READY).first()
        if held is not None:
            note_refusal(held, sentence, anew=not held.refusal)
            Stage.objects.filter(pk=held.pk).update(refusal=sentence, refused_at=Now())


def set_running(round_: Round, *, by_itself: bool) -> None:
    """Whether stages start by themselves. What runs already is not touched. Raises RoundRefused."""
    with transaction.atomic():
        locked = Round.objects.select_for_update().get(pk=round_.pk)
        if locked.recorded or locked.state == Round.State.CLOSED:
            how = "was run elsewhere" if locked.recorded else "is closed"
            raise RoundRefused(f"Round {locked.number} {how}; nothing of it starts any more.")
        reward = locked.stages.filter(
            kind=Stage.Kind.REWARD, state__in=(Stage.State.WAITING, Stage.State.READY)
        ).first()
        if reward is not None and locked.stages.filter(kind=Stage.Kind.RANK).exists():
            # By hand somebody says that the rankings so far are enough; by itself nobody is there to say it.
            waits_for = [kind for kind in reward.waits_for if kind != Stage.Kind.RANK]
            reward.waits_for = [*waits_for, Stage.Kind.RANK] if by_itself else waits_for
            if by_itself:
                reward.state = Stage.State.WAITING
            reward.save(update_fields=["waits_for", "state"])
        locked.stages.update(refusal="")  # Switched on anew, it tries at once.
        Round.objects.filter(pk=locked.pk).update(runs_itself=by_itself)
    round_.runs_itself = by_itself
    advance(round_)
