"""JSON read strictly into frozen dataclasses, so that every refusal names the key, the value and what was expected.

A `Section` is a frozen dataclass whose annotations are its rules: types, `Literal` choices and `Annotated` limits are
checked whenever one is made, from JSON or from Python. Rules that span several fields go into `check_together`.
JSON is never bent: true is not 1, "3" is not 3, a key that nobody reads is refused. Only a whole number may stand
where a number is expected.
"""

import difflib
import json
import math
import types
from collections.abc import Callable, Mapping
from dataclasses import MISSING, asdict, dataclass, fields, is_dataclass
from typing import Annotated, Any, Literal, Self, TypeVar, Union, cast, get_args, get_origin, get_type_hints

SHOWN_VALUE_CHARACTERS = 80


class Refused(ValueError):
    """Something in the JSON has no meaning here.

    path: the key, dotted, as a person would look for it ("optimizer.learning_rate"; "" for the whole document).
    problem: the rest of the sentence ("is -1e-05; expected a number above 0").
    """

    def __init__(self, path: str, problem: str) -> None:
        self.path = path
        self.problem = problem
        super().__init__(f"{path or 'the document'} {problem}")

    def under(self, parent: str) -> "Refused":
        """The same refusal seen from one level further out."""
        joint = "" if not self.path or self.path.startswith("[") or not parent else "."
        return Refused(f"{parent}{joint}{self.path}", self.problem)


@dataclass(frozen=True)
class Within:
    """The limits of a number, as `Annotated[float, Within(above=0)]`."""

    above: float | None = None
    at_least: float | None = None
    below: float | None = None
    at_most: float | None = None

    def allows(self, value: Any) -> bool:
        return not (
            (self.above is not None and value <= self.above)
            or (self.at_least is not None and value < self.at_least)
            or (self.below is not None and value >= self.below)
            or (self.at_most is not None and value > self.at_most)
        )

    def __str__(self) -> str:
        named = {"above": self.above, "at least": self.at_least, "below": self.below, "at most": self.at_most}
        limits = [f"{words} {limit:.10g}" for words, limit in named.items() if limit is not None]
        return ("of " if limits[0].startswith("at ") else "") + " and ".join(limits)


@dataclass(frozen=True)
class Written:
    """How a text must be written, as `Annotated[str, Written(as_="a sha256 in hex", if_=is_sha256)]`."""

    as_: str
    if_: Callable[[str], bool]

    def allows(self, value: Any) -> bool:
        return self.if_(value)

    def __str__(self) -> str:
        return self.as_


class Section:
    """Base of the frozen dataclasses of the contract. See the module's docstring."""

    def __post_init__(self) -> None:
        for name, hint in field_types(type(self)).items():
            object.__setattr__(self, name, _read(getattr(self, name), hint, name))
        self.check_together()

    def check_together(self) -> None:
        """Rules between fields. Raises Refused with the path of the field that has to change."""

    @classmethod
    def from_json(cls, value: object) -> Self:
        """Reads a decoded JSON object. Raises Refused for an unknown or missing key and for every bad value."""
        return _read_section(value, cls)

    def to_json(self) -> dict[str, Any]:
        return asdict(cast(Any, self))


_field_types: dict[type, dict[str, Any]] = {}


def field_types(section: type) -> dict[str, Any]:
    """Name of each field of a section with its annotation, limits included."""
    if section not in _field_types:
        hints = get_type_hints(section, include_extras=True)
        _field_types[section] = {field.name: hints[field.name] for field in fields(cast(Any, section))}
    return _field_types[section]


def parse_json(text: str | bytes) -> Any:
    """Decodes JSON; refuses what is no JSON, a key given twice, bytes that are no UTF-8, nesting without end.

    NaN and Infinity come through here and are refused where a number is read, by the name of its key. Raises Refused.
    """
    try:
        decoded = text.decode("utf-8") if isinstance(text, bytes) else text
        return json.loads(decoded, object_pairs_hook=_refuse_twice)
    except UnicodeDecodeError as error:
        raise Refused("", f"is not UTF-8: byte {error.start} cannot be decoded") from error
    except json.JSONDecodeError as error:
        raise Refused("", f"is not JSON: {error.msg} at line {error.lineno}, column {error.colno}") from error
    except RecursionError as error:
        raise Refused("", "is nested too deeply to be read") from error


def dump_json(value: object) -> str:
    """One line of JSON with sorted keys: equal values give equal bytes, so that a hash of them means something."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)


def shown(value: object) -> str:
    """A value as it would stand in JSON, cut for a message."""
    try:
        text = json.dumps(value, ensure_ascii=True)
    except (TypeError, ValueError):
        text = repr(value)
    return text if len(text) <= SHOWN_VALUE_CHARACTERS else text[: SHOWN_VALUE_CHARACTERS - 3] + "..."


def _refuse_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise Refused("", f"holds the key {shown(twice)} twice in one object")
    return found


T = TypeVar("T")


def _read_section(value: object, section: type[T]) -> T:
    if isinstance(value, section):
        return value
    if not isinstance(value, Mapping):
        raise Refused("", f"is {shown(value)}; expected an object")
    known = field_types(section)
    for key in value:
        if key not in known:
            raise Refused(str(key), f"is not a known key; {_suggest(str(key), list(known))}")
    for field in fields(cast(Any, section)):
        if field.name not in value and field.default is MISSING and field.default_factory is MISSING:
            raise Refused(field.name, f"is missing; expected {_expected(known[field.name])}")
    return section(**value)


def _suggest(key: str, known: list[str]) -> str:
    near = difflib.get_close_matches(key, known, n=1)
    listed = ", ".join(sorted(known)) if known else "none"
    return f'did you mean "{near[0]}"?' if near else f"known keys here: {listed}"


def _read(value: Any, hint: Any, path: str) -> Any:
    """The value as its annotation wants it. Raises Refused at `path`."""
    try:
        return _read_as(value, hint)
    except Refused as refused:
        raise refused.under(path) from None


def _read_as(value: Any, hint: Any) -> Any:
    origin = get_origin(hint)
    if origin is Annotated:
        base, limit = get_args(hint)
        if _is_plain(value, base) and limit.allows(value):
            return float(value) if base is float else value
    elif origin in (Union, types.UnionType):
        return _read_optional(value, hint)
    elif origin is Literal:
        if any(value == choice and type(value) is type(choice) for choice in get_args(hint)):
            return value
    elif origin is tuple:
        if isinstance(value, list | tuple):
            return tuple(_read(item, get_args(hint)[0], f"[{index}]") for index, item in enumerate(value))
    elif origin is Mapping:
        if isinstance(value, Mapping):
            key_hint, item_hint = get_args(hint)
            return {_read(key, key_hint, str(key)): _read(item, item_hint, str(key)) for key, item in value.items()}
    elif is_dataclass(hint):
        return _read_section(value, cast(type, hint))
    elif _is_plain(value, hint):
        return float(value) if hint is float else value
    raise Refused("", f"is {shown(value)}; expected {_expected(hint)}")


def _read_optional(value: Any, hint: Any) -> Any:
    """X | None: null, or what X says. The contract uses no other union."""
    if value is None:
        return None
    (inner,) = [option for option in get_args(hint) if option is not types.NoneType]
    try:
        return _read_as(value, inner)
    except Refused as refused:
        problem = refused.problem if refused.path or "expected" not in refused.problem else refused.problem + " or null"
        raise Refused(refused.path, problem) from None


def _is_plain(value: Any, hint: Any) -> bool:
    if hint is float:
        return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool)
    if hint is str:
        return isinstance(value, str) and _is_unicode(value)
    return (hint is bool and isinstance(value, bool)) or (hint is types.NoneType and value is None)


def _is_unicode(text: str) -> bool:
    """Half a surrogate pair can be written in JSON but never stored as UTF-8."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


PLAIN_NAMES = {
    int: "a whole number",
    float: "a number",
    str: "a text of valid characters",
    bool: "true or false",
    types.NoneType: "null",
}


def _expected(hint: Any) -> str:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        base, limit = arguments
        return str(limit) if isinstance(limit, Written) else f"{_expected(base)} {limit}"
    if origin in (Union, types.UnionType):
        return " or ".join(_expected(option) for option in arguments)
    if origin is Literal:
        choices = [shown(choice) for choice in arguments]
        return choices[0] if len(choices) == 1 else "one of " + ", ".join(choices)
    if origin is tuple:
        return "a list"
    if origin is Mapping or is_dataclass(hint):
        return "an object"
    return PLAIN_NAMES[hint]
