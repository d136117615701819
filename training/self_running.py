"""Rounds that run themselves: a stage is started as soon as what it waits for is done.

A refusal is kept with the stage and shown there; it is not tried again until somebody launches the stage by hand.
"""

import logging
from collections.abc import Iterator

from django.db import transaction

from labeling.errors import Refusal
from training.contenders import EvaluationChoices
from training.errors import RoundRefused
from training.models import Round, Stage
from training.rounds import advance, launch, open_ranking_campaign

log = logging.getLogger(__name__)


def unfinished() -> Iterator[Round]:
    """Rounds in which something may have to be started."""
    states = (Stage.State.WAITING, Stage.State.READY)
    found = Round.objects.filter(runs_itself=True, recorded="", state=Round.State.OPEN, stages__state__in=states)
    yield from found.select_related("project").distinct()


def run_by_itself(round_: Round) -> list[Stage]:
    """Moves the round on and starts every stage that is ready; returns those that changed."""
    changed = advance(round_)
    for stage in round_.stages.filter(state=Stage.State.READY, refusal="").order_by("place"):
        started = _start(round_, stage)
        changed += [started] if started else []
    return changed


def _start(round_: Round, stage: Stage) -> Stage | None:
    """None where another worker was faster. Several may look at once: the stage's row decides."""
    try:
        with transaction.atomic():
            ready = Stage.objects.select_for_update().filter(pk=stage.pk, state=Stage.State.READY, refusal="").first()
            if ready is None:
                return None
            if stage.kind == Stage.Kind.RANK:
                open_ranking_campaign(
                    round_, overlap=round_.recipe.get("overlap", 1), room=round_.recipe.get("by_hand", 0)
                )
            else:
                asked = round_.recipe.get("evaluation", {})
                choices = EvaluationChoices(overlap=asked.get("overlap", 2), others=tuple(asked.get("others", ())))
                launch(round_, stage.kind, choices=choices)
    except Refusal as refused:
        log.warning("round %s of %s: %s was not started: %s", round_.number, round_.project.slug, stage.kind, refused)
        Stage.objects.filter(pk=stage.pk, state=Stage.State.READY).update(refusal=str(refused))
    stage.refresh_from_db()
    return stage


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
        Round.objects.filter(pk=locked.pk).update(runs_itself=by_itself)
    round_.runs_itself = by_itself
    advance(round_)
