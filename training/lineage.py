"""Where checkpoints come from, and what became of them."""

from collections.abc import Mapping, Sequence

from labeling.models import Project
from training.errors import LaunchRefused
from training.models import Checkpoint, Round, Stage


def root_of(checkpoint: Checkpoint, parents: dict[int, list[int]]) -> int:
    """The base model at the beginning of a checkpoint's line; its tokenizer is that of the whole line.

    parents: by primary key. All parents of a checkpoint share its tokenizer, so any of them leads there.
    """
    key = checkpoint.pk
    while parents.get(key):
        key = parents[key][0]
    return key


def root_and_links(project: Project, checkpoint: Checkpoint) -> tuple[int, dict[int, list[int]]]:
    """Where a checkpoint's line begins, and the parents of all checkpoints of the project (one query)."""
    parents: dict[int, list[int]] = {}
    for child, parent in _links(project):
        parents.setdefault(child, []).append(parent)
    return root_of(checkpoint, parents), parents


def generators_that_share_the_tokenizer(project: Project, checkpoint: Checkpoint) -> tuple[int, ...]:
    """Ids of the generators whose sampled token ids mean to this checkpoint what they meant to them. Two queries."""
    root, parents = root_and_links(project, checkpoint)
    made = Checkpoint.objects.filter(project=project, generator__isnull=False).order_by("generator")
    return tuple(one.generator_id for one in made if one.generator_id and root_of(one, parents) == root)


def family_of(checkpoint: Checkpoint) -> tuple[list[list[Checkpoint]], list[list[Checkpoint]]]:
    """(what it was made from, what was made from it), generation by generation from the nearest; each checkpoint once,
    where it stands nearest, the oldest first in its generation. Two queries."""
    up: dict[int, list[int]] = {}
    down: dict[int, list[int]] = {}
    for child, parent in _links(checkpoint.project):
        up.setdefault(child, []).append(parent)
        down.setdefault(parent, []).append(child)
    before, after = _generations(checkpoint.pk, up), _generations(checkpoint.pk, down)
    known = Checkpoint.objects.in_bulk({key for generation in (*before, *after) for key in generation})
    return [[known[key] for key in one] for one in before], [[known[key] for key in one] for one in after]


def _links(project: Project) -> list[tuple[int, int]]:
    """(child, parent) by primary key, of all checkpoints of the project."""
    links = Checkpoint.parents.through.objects.filter(from_checkpoint__project=project).order_by("pk")
    return list(links.values_list("from_checkpoint_id", "to_checkpoint_id"))


def _generations(start: int, next_to: Mapping[int, Sequence[int]]) -> list[list[int]]:
    found, met, now = [], {start}, [start]
    while now := sorted({key for one in now for key in next_to.get(one, ()) if key not in met}):
        met.update(now)
        found.append(now)
    return found


def starting_policy(round_: Round) -> Checkpoint | None:
    """The policy that a round samples from and trains on; None where it begins with SFT."""
    number = round_.recipe.get("policy")
    if number is None:
        return None
    return Checkpoint.objects.select_related("generator", "job__stage__round").get(project=round_.project_id, pk=number)


def supervised_ancestor(policy: Checkpoint) -> Checkpoint:
    """The SFT model that a policy was made from, over however many rounds. Raises LaunchRefused where it has none."""
    line = [policy]
    while line:
        one = line.pop()
        if one.kind == Checkpoint.Kind.SFT:
            return one
        line += one.parents.select_related("generator").exclude(kind=Checkpoint.Kind.REWARD)
    raise LaunchRefused(f"The policy {policy.name!r} comes from no SFT model of this project. Start with SFT instead.")


def ranked_in_the_line(round_: Round) -> list[Stage]:
    """The ranking stages of a round and of the rounds whose policies it starts from, newest first."""
    found: list[Stage] = []
    at: Round | None = round_
    while at is not None:
        found += at.stages.filter(kind=Stage.Kind.RANK)
        policy = starting_policy(at)
        at = policy.job.stage.round if policy and policy.job and policy.job.stage else None
    return found
