"""What a round starts from and who runs it, in the words under its title."""

from training.audience import audience_of
from training.lineage import starting_policy
from training.models import Checkpoint, Round


def beginning_of(round_: Round) -> list[str]:
    """Sentences. At most two queries."""
    found = [_starts_from(round_)]
    if sentence := audience_of(round_).sentence:
        found.append(sentence)
    if round_.runs_itself and not round_.recorded:
        found.append("Runs itself: a stage starts as soon as what it waits for is done.")
    if round_.state == Round.State.CLOSED:
        found.append("Closed.")
    return found


def _starts_from(round_: Round) -> str:
    policy = starting_policy(round_)
    if policy is not None:
        return f"Samples from {policy.name} and trains it on."
    base = Checkpoint.objects.filter(project=round_.project_id, pk=round_.recipe.get("base")).first()
    if base is not None:
        return f"Starts from {base.name}."
    if "base_of" in round_.recipe:
        return f"Starts from the base model of round {round_.recipe['base_of']}."
    return "Trains its own base model."
