"""The next round: the recipe of one that is there, with its policy as the new generator."""

from labeling.models import User
from training.errors import RoundRefused
from training.lineage import starting_policy
from training.models import Checkpoint, Job, Round, Stage
from training.rounds import base_trained_in, check_not_recorded, open_round

NOT_COPIED = ("name", "base", "base_of", "policy", "simulated", "stages", "copied_from")
"""Of a recipe: what open_round writes itself."""


def newest_policy(round_: Round) -> Checkpoint | None:
    """What the round's PPO made last."""
    made = Checkpoint.objects.filter(
        kind=Checkpoint.Kind.POLICY, job__stage__round=round_, job__state=Job.State.DONE, removed_at=None
    )
    return made.order_by("-job_id").first()


def next_round(round_: Round, *, with_policy: bool = True, by: User | None = None) -> Round:
    """The recipe of a round once more, as it was copied and changed: with what it made of people, simulated labelers
    and waits.

    with_policy: the new round samples from the newest policy of this one and trains it on, and compares the two in its
    evaluation; else it begins where this one began. Raises RoundRefused.
    """
    check_not_recorded(round_.project)
    recipe = dict(round_.recipe)
    policy = newest_policy(round_) if with_policy else None
    if with_policy and policy is None:
        raise RoundRefused(f"Round {round_.number} has no policy yet, so nothing can sample from it. Run PPO first.")
    more = {key: value for key, value in recipe.items() if key not in NOT_COPIED} | {"copied_from": round_.number}
    started = starting_policy(round_)
    if policy is not None:
        asked = dict(more.get("evaluation", {}))
        more["evaluation"] = asked | {"others": [policy.pk]}
    elif started is not None:
        policy = started
    base = Checkpoint.objects.filter(project=round_.project_id, pk=recipe.get("base") or 0).first()
    if base is None:  # trained in this round, or in the one that its recipe names
        trains = round_.stages.filter(kind=Stage.Kind.PRETRAIN).exists()
        base = base_trained_in(round_.project_id, round_.number if trains else recipe.get("base_of", 0))
    return open_round(
        round_.project, recipe=recipe["name"], copied=round_, policy=policy, base=base.name if base else None,
        enough={stage.kind: next(iter(stage.enough.values()), None) for stage in round_.stages.exclude(enough={})},
        more=more, simulated=recipe.get("simulated"), runs_itself=round_.runs_itself, by=by,
    )  # fmt: skip
