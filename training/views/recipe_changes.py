"""Changes to a recipe as they are typed: JSON, by stage."""

from typing import Any

from training.errors import RoundRefused
from training.rlhf.contract.strict import Refused, parse_json, shown


def changes_in(text: str) -> dict[str, Any]:
    """Raises RoundRefused for JSON that is none; keys and values are judged by the contract, where they are used."""
    if not text.strip():
        return {}
    try:
        value = parse_json(text)
    except Refused as refused:
        raise RoundRefused(f"The changes to the recipe cannot be read: {refused}.") from None
    if not isinstance(value, dict) or not all(isinstance(one, dict) for one in value.values()):
        raise RoundRefused(
            f'The changes to the recipe are {shown(value)}; expected sections by stage, {{"sft": {{"seed": 7}}}}.'
        )
    return value
