"""What simulated raters say on the scales beside "overall": how helpful, how fitting in tone, how much to the point.

Read from the response's words alone, by rules that stand in the guideline too; each rater adds noise of their own.
The study asks for "overall" only; an evaluation in the product asks for all four, so these are said as well.
"""

import random

from training.rehearsal.reading import Reading
from training.rehearsal.tastes import Labeler


def side_ratings(reading: Reading, labeler: Labeler, *, response: str, seed: int) -> dict[str, int]:
    """helpful, appropriate and on_topic, 1 to 7. response: its id, so that the noise does not depend on the order."""
    chance = random.Random(f"scales {seed} {labeler.name} {response}")
    said = {
        "helpful": 2 + 3 * reading.right + 2 * (reading.right and reading.beyond > 0) - reading.wrong,
        "appropriate": 7 - 2 * reading.questions - 2 * reading.unfinished - reading.idle,
        "on_topic": 7 - 2 * reading.questions - 2 * reading.idle,
    }
    return {name: min(7, max(1, round(value + chance.gauss(0.0, labeler.noise)))) for name, value in said.items()}
