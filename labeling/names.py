"""Names that people give: of projects, cohorts, themselves. One line, with something on it."""

import unicodedata

from django.utils.translation import gettext

from labeling.errors import BadName

UNSEEN = {"Cc", "Cs", "Cf", "Zl", "Zp"}
"""Kinds of characters that no name has: control characters, line breaks, overrides that make it read as another."""


def checked_line(text: str, *, what: str, most: int) -> str:
    """The name without spaces around it. what: "name of the project". Raises BadName."""
    name = text.strip()
    if not name:
        raise BadName(gettext("The %(what)s is empty; write one.") % {"what": what})
    if len(name) > most:
        says = gettext("The %(what)s has %(many)s characters; at most %(most)s are kept.")
        raise BadName(says % {"what": what, "many": len(name), "most": most})
    for character in name:
        if unicodedata.category(character) in UNSEEN:
            says = gettext("The %(what)s holds an unseen character (%(code)s); remove it.")
            raise BadName(says % {"what": what, "code": f"U+{ord(character):04X}"})
    return name
