"""Where checkpoints come from."""

from labeling.models import Project
from training.models import Checkpoint


def root_of(checkpoint: Checkpoint, parents: dict[int, list[int]]) -> int:
    """The base model at the beginning of a checkpoint's line; its tokenizer is that of the whole line.

    parents: by primary key. All parents of a checkpoint share its tokenizer, so any of them leads there.
    """
    key = checkpoint.pk
    while parents.get(key):
        key = parents[key][0]
    return key


def generators_that_share_the_tokenizer(project: Project, checkpoint: Checkpoint) -> tuple[int, ...]:
    """Ids of the generators whose sampled token ids mean to this checkpoint what they meant to them. Two queries."""
    parents: dict[int, list[int]] = {}
    through = Checkpoint.parents.through
    for child, parent in through.objects.filter(from_checkpoint__project=project).values_list(
        "from_checkpoint_id", "to_checkpoint_id"
    ):
        parents.setdefault(child, []).append(parent)
    root = root_of(checkpoint, parents)
    made = Checkpoint.objects.filter(project=project, generator__isnull=False).order_by("generator")
    return tuple(one.generator_id for one in made if one.generator_id and root_of(one, parents) == root)
