"""Names that people give: of projects, cohorts, themselves. One line, with something on it."""

import unicodedata

from labeling.errors import BadName

UNSEEN = {"Cc", "Cs", "Cf", "Zl", "Zp"}
"""Kinds of characters that no name has: control characters, line breaks, overrides that make it read as another."""


def checked_line(text: str, *, what: str, most: int) -> str:
    """The name without spaces around it. what: "name of the project". Raises BadName."""
    name = text.strip()
    if not name:
        raise BadName(f"The {what} is empty; write one.")
    if len(name) > most:
        raise BadName(f"The {what} has {len(name)} characters; at most {most} are kept.")
    for character in name:
        if unicodedata.category(character) in UNSEEN:
            raise BadName(f"The {what} holds an unseen character (U+{ord(character):04X}); remove it.")
    return name
