"""Strict reading of the members of a JSON object: each is asked for by name, and what nobody asked for is refused.

Every refusal names the place, the value and what would do. Standard library only; what the members mean is said in
labeling/records.py.
"""

import json
from datetime import UTC, datetime
from enum import Enum
from typing import Any, Final


class BadRecord(ValueError):
    """A record that cannot be taken; the message names the place in it, the value found and the remedy."""


class _Absent(Enum):
    ABSENT = 0


ABSENT: Final = _Absent.ABSENT
"""No value was given; unlike None, which JSON can hold."""


def shown(value: object) -> str:
    """The value as JSON, short enough for a line of a report."""
    text = json.dumps(value, ensure_ascii=True, default=str)
    return text if len(text) <= 60 else f"{text[:57]}…"


def checked_text(value: object, *, where: str, least: int = 1, most: int | None = None) -> str:
    """The value as text that every database and file can hold; least and most in characters."""
    if not isinstance(value, str):
        raise BadRecord(f"{where} is {shown(value)}; expected text in quotes")
    if "\x00" in value:
        raise BadRecord(f"{where} holds a NUL character (\\u0000) at {value.index(chr(0))}; remove it")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise BadRecord(
                f"{where} holds half a surrogate pair at {error.start}; write the whole character"
            ) from None
    if len(value) < least or (least and not value.strip()):
        raise BadRecord(f"{where} is empty; write some text or leave the record out")
    if most is not None and len(value) > most:
        raise BadRecord(f"{where} has {len(value):,} characters; at most {most} are taken")
    return value


def checked_name(value: object, *, where: str, most: int) -> str:
    """Text of one line without spaces around it: an id, a pseudonym, the name of a generator."""
    name = checked_text(value, where=where, most=most)
    if name != name.strip() or not name.isprintable():
        raise BadRecord(f"{where} is {shown(name)}; remove line ends, control characters and spaces around it")
    return name


def checked_whole(value: object, *, where: str, low: int, high: int, meaning: str = "") -> int:
    """A whole number from low to high; true and 1.0 are none."""
    if type(value) is not int or not low <= value <= high:
        raise BadRecord(f"{where} is {shown(value)}; expected a whole number from {low} to {high}{meaning}")
    return value


def checked_list(value: object, *, where: str, least: int = 0, most: int | None = None) -> list[Any]:
    if not isinstance(value, list):
        raise BadRecord(f"{where} is {shown(value)}; expected a list")
    if len(value) < least or (most is not None and len(value) > most):
        wanted = f"at least {least}" if most is None else f"{least} to {most}" if least != most else f"exactly {least}"
        raise BadRecord(f"{where} has {len(value)} entries; expected {wanted}")
    return value


class Fields:
    """The members of one JSON object. Take each by name, then call done()."""

    def __init__(self, value: object, *, where: str = "") -> None:
        if not isinstance(value, dict):
            raise BadRecord(f"{where or 'the line'} is {shown(value)}; expected an object in braces")
        self._members: dict[str, Any] = value
        self._where = where
        self._asked: list[str] = []

    def place(self, name: str) -> str:
        return f"{self._where}.{name}" if self._where else name

    def take(self, name: str) -> Any:
        """The member as it is, ABSENT where there is none; null counts as absent."""
        self._asked.append(name)
        value = self._members.get(name)
        return ABSENT if value is None else value

    def need(self, name: str) -> Any:
        value = self.take(name)
        if value is ABSENT:
            raise BadRecord(f"{self.place(name)} is missing; this record cannot be understood without it")
        return value

    def text(self, name: str, *, least: int = 1, most: int | None = None) -> str:
        return checked_text(self.need(name), where=self.place(name), least=least, most=most)

    def text_or(self, name: str, default: str, *, most: int | None = None) -> str:
        value = self.take(name)
        return default if value is ABSENT else checked_text(value, where=self.place(name), least=0, most=most)

    def name(self, name: str, *, most: int) -> str:
        return checked_name(self.need(name), where=self.place(name), most=most)

    def name_or_none(self, name: str, *, most: int) -> str | None:
        value = self.take(name)
        return None if value is ABSENT else checked_name(value, where=self.place(name), most=most)

    def choice_or_none(self, name: str, choices: tuple[str, ...]) -> str | None:
        value = self.take(name)
        if value is ABSENT:
            return None
        if not isinstance(value, str) or value not in choices:
            raise BadRecord(f"{self.place(name)} is {shown(value)}; expected one of {', '.join(choices)}")
        return value

    def flag(self, name: str) -> bool:
        """True or false; absent is false."""
        value = self.take(name)
        if value is ABSENT:
            return False
        if not isinstance(value, bool):
            raise BadRecord(f"{self.place(name)} is {shown(value)}; expected true or false")
        return value

    def whole_or_none(self, name: str, *, low: int, high: int) -> int | None:
        value = self.take(name)
        return None if value is ABSENT else checked_whole(value, where=self.place(name), low=low, high=high)

    def items(self, name: str, *, least: int, most: int) -> list[Any]:
        return checked_list(self.need(name), where=self.place(name), least=least, most=most)

    def time_or_none(self, name: str) -> datetime | None:
        """A point in time, in UTC."""
        value = self.take(name)
        if value is ABSENT:
            return None
        try:
            time = datetime.fromisoformat(value) if isinstance(value, str) else None
            if time is not None and time.tzinfo is not None:
                return time.astimezone(UTC)
        except (ValueError, OverflowError):
            pass
        raise BadRecord(
            f"{self.place(name)} is {shown(value)}; expected a time with its offset, as in 2026-03-01T09:30:00Z"
        )

    def done(self) -> None:
        """Raises BadRecord where the object has a member that was not asked for."""
        for name in self._members:
            if name not in self._asked:
                known = ", ".join(self._asked)
                raise BadRecord(f"{self.place(shown(name))} is not known here; remove it or use one of {known}")
