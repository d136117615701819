"""A column of a table as short JSON, and back. It knows nothing of what the values mean.

The same column is written in several ways, and the one that compresses best stays: one value for all; few values and
which of them; steps from one number to the next; lists and objects taken apart into columns of their own; or all as
they are. Keys of objects keep their order, which some pages show.
"""

import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Any

Packed = dict[str, Any]
FEW = 2000
"""Different values, up to which a column is written as a choice of them."""


class NoColumn(ValueError):
    """What was read is no column of so many values."""


def in_one_line(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def packed(values: Sequence[Any]) -> Packed:
    """unpacked(packed(values), len(values)) are the values. Those must be what JSON can hold."""
    ways = list(_ways(values))
    return min(ways, key=lambda way: len(zlib.compress(in_one_line(way).encode(), 9)))


def _ways(values: Sequence[Any]) -> Iterator[Packed]:
    written = [in_one_line(value) for value in values]
    different = dict(zip(written, values, strict=True))
    if len(different) == 1:
        yield {"same": values[0]}
        return
    yield {"all": list(values)}
    if not values:
        return
    if len(different) <= min(FEW, len(values) // 2):
        place = {text: at for at, text in enumerate(different)}
        yield {"of": list(different.values()), "at": [place[text] for text in written]}
    if all(value is None or _is_whole(value) for value in values):
        yield {"steps": list(_steps(values))}
    elif all(isinstance(value, list) and value and all(map(_is_whole, value)) for value in values):
        if any(min(value) for value in values):  # or taking it apart would go on for ever
            yield _lists(values)
    elif all(isinstance(value, dict) for value in values) and len(values) > 1:
        yield _objects(values)


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _steps(values: Sequence[int | None]) -> Iterator[int | None]:
    """None stays None and is stepped over."""
    last = 0
    for value in values:
        yield None if value is None else value - last
        last = last if value is None else value


def _lists(values: Sequence[list[int]]) -> Packed:
    """The smallest number of each list, and the list above it: the order of four neighbours is one of 24."""
    low = [min(value) for value in values]
    above = [[number - least for number in value] for value, least in zip(values, low, strict=True)]
    return {"low": packed(low), "above": packed(above)}


def _objects(values: Sequence[Mapping[str, Any]]) -> Packed:
    """Objects with the same keys together, a column a key."""
    shapes = list(dict.fromkeys(tuple(value) for value in values))
    shape_of = [shapes.index(tuple(value)) for value in values]
    columns = [
        {key: packed([value[key] for value, at in zip(values, shape_of, strict=True) if at == shape]) for key in keys}
        for shape, keys in enumerate(shapes)
    ]
    return {"shapes": columns, "shape": packed(shape_of)}


def unpacked(column: object, many: int) -> list[Any]:
    """Raises NoColumn."""
    try:
        values = _values(column, many)
    except (TypeError, KeyError, IndexError, AttributeError) as error:
        raise NoColumn(f"a column cannot be read ({type(error).__name__})") from error
    if len(values) != many:
        raise NoColumn(f"a column has {len(values):,} values; expected {many:,}")
    return values


def _values(column: Any, many: int) -> list[Any]:
    if "same" in column:
        return [column["same"]] * many
    if "all" in column:
        return list(column["all"])
    if "of" in column:
        return [column["of"][at] for at in column["at"]]
    if "steps" in column:
        sums = accumulate((step or 0 for step in column["steps"]), initial=0)
        next(sums)
        return [None if step is None else total for step, total in zip(column["steps"], sums, strict=True)]
    if "low" in column:
        low, above = unpacked(column["low"], many), unpacked(column["above"], many)
        return [[number + least for number in value] for value, least in zip(above, low, strict=True)]
    return _whole_objects(column, many)


def _whole_objects(column: Any, many: int) -> list[dict[str, Any]]:
    shape_of = unpacked(column["shape"], many)
    rows = []
    for shape, columns in enumerate(column["shapes"]):
        count = shape_of.count(shape)
        keys = {key: unpacked(values, count) for key, values in columns.items()}
        rows.append(iter([{key: values[at] for key, values in keys.items()} for at in range(count)]))
    return [next(rows[shape]) for shape in shape_of]
