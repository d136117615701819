"""Scopes: what a token may be used for. Within it the token can do what its user's role can there, never more."""

from collections.abc import Collection, Iterable
from enum import StrEnum

from labeling.access import LABELS, READS_DATA, RESEARCHES
from labeling.errors import Refusal
from labeling.models import Role


class Scope(StrEnum):
    READ = "read"
    WRITE = "write"
    LABEL = "label"
    TRAIN = "train"
    MANAGE = "manage"


WORDS = {
    Scope.READ: "read the project's data, rounds and models",
    Scope.WRITE: "bring in prompts and responses, make guidelines and campaigns",
    Scope.LABEL: "take tasks and submit work, as a page of one's own does",
    Scope.TRAIN: "open rounds, launch stages, stop jobs",
    Scope.MANAGE: "change members, the project's settings and webhooks",
}

OF_ROLE: dict[str, frozenset[Scope]] = {
    role: frozenset(
        scope
        for scope, roles in {
            Scope.READ: READS_DATA,
            Scope.WRITE: READS_DATA | {Role.CUSTOMER},
            Scope.LABEL: LABELS,
            Scope.TRAIN: RESEARCHES,
            Scope.MANAGE: RESEARCHES,
        }.items()
        if role in roles
    )
    for role in Role.values
}
"""Scopes that a token of this role's member can have: of the others it would open nothing."""


class ScopeRefused(Refusal):
    """A token is asked for with a scope that is none, or of no use to its user."""

    code = "scope_refused"


def scopes_for(role: str) -> list[Scope]:
    """In the order in which they are offered."""
    return [scope for scope in Scope if scope in OF_ROLE[role]]


def checked_scopes(asked: Iterable[str], role: str) -> list[str]:
    """The scopes asked for, each once and in their order. Raises ScopeRefused."""
    wanted = set(asked)
    offered = scopes_for(role)
    odd = sorted(wanted - set(offered))
    if odd or not wanted:
        found = f"{odd[0][:40]!r} is not among them" if odd else "none is chosen"
        raise ScopeRefused(f"A token of a {role} can have: {_listed(offered)}; {found}.")
    return [scope for scope in offered if scope in wanted]


def _listed(scopes: Collection[str]) -> str:
    return ", ".join(scopes) or "no scope at all"
