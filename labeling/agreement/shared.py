"""What each two labelers said of the units that they both judged, summed by prompt.

A unit with m judgments has m (m - 1) / 2 pairs of them: 200,000 judgments of nine responses, twenty labelers each, are
7.6 million pairs, and their figures need no more than sums for each two labelers of a prompt, 200,000 of them. These
are products of a sparse matrix with itself, made for some prompts at a time, so that memory does not grow with them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from labeling.agreement.figures import Floats, Ints
from labeling.agreement.judged import Judged
from labeling.agreement.sums import numbered

AT_ONCE = 2_000_000
"""Pairs of judgments taken together at one time (some 100 MB while they are); one prompt is never cut in two."""


@dataclass(frozen=True, kw_only=True)
class Shared:
    """Each two labelers who judged a unit of one prompt, (M,) each, once. first, second: their codes; where the two are
    the same, it is what one person judged again, or alone. rows: (M, 2) numbers of (prompt, labeler) in this block.
    pairs: pairs of judgments; sums: (M, T) of each table over them."""

    prompts: Ints
    first: Ints
    second: Ints
    rows: Ints
    pairs: Floats
    sums: Floats


def shared_units(
    judged: Judged, tables: Sequence[Floats], *, weights: Floats | None = None, alone: Floats | None = None
) -> Iterator[Shared]:
    """In blocks of whole prompts.

    tables: (C, C) each, what a pair of judgments with these two values adds, the labeler with the lower code first.
    weights: (N,) what the judgment's unit is worth in them, 1 by default. alone: (C,) what a unit's only judgment adds
    to the first table.
    """
    if not len(judged):
        return
    order = np.lexsort((judged.labelers, judged.prompts))
    _, unit = numbered(judged.units)
    sizes = np.bincount(unit)[unit]
    # A judgment has as many partners as its unit has judgments.
    partners = np.cumsum(sizes[order])
    prompts = judged.prompts[order]
    starts = np.r_[np.flatnonzero(np.diff(prompts, prepend=prompts[0] - 1)), len(order)]
    begin = 0
    while begin < len(starts) - 1:
        before = partners[starts[begin] - 1] if begin else 0
        end = int(np.searchsorted(partners[starts[begin + 1 :] - 1], before + 2 * AT_ONCE, side="right")) + begin
        end = max(end, begin + 1)
        some = order[starts[begin] : starts[end]]
        yield _block(judged, unit, sizes, some, tables, weights, alone)
        begin = end


def _block(
    judged: Judged, unit: Ints, sizes: Ints, some: Ints, tables: Sequence[Floats], weights: Floats | None,
    alone: Floats | None,
) -> Shared:  # fmt: skip
    """some: the judgments of these prompts, sorted by prompt and labeler."""
    prompts, labelers, values = judged.prompts[some], judged.labelers[some], judged.values[some]
    begins = np.flatnonzero((np.diff(prompts, prepend=-1) != 0) | (np.diff(labelers, prepend=-2) != 0))
    row = np.repeat(np.arange(len(begins)), np.diff(np.r_[begins, len(some)]))
    found, column = numbered(unit[some])
    width = len(judged.levels)
    bounds = np.r_[begins, len(some)]
    said = sparse.csr_array(
        (np.ones(len(some)), column * width + values, bounds), shape=(len(begins), len(found) * width)
    )
    by_unit = said.T.tocsr()
    worth = None if weights is None else weights[some]
    columns = (column[:, None] * width + np.arange(width)).ravel()
    products = []
    for table in tables:
        added = (1 + 1j * table)[values]
        if worth is not None:
            added.imag *= worth[:, None]
        spread = sparse.csr_array((added.ravel(), columns, bounds * width), shape=said.shape)
        products.append(spread @ by_unit)
    # All have the same places: the real part counts pairs, so that nowhere is 0.
    product = products[0]
    one = np.repeat(np.arange(len(begins)), np.diff(product.indptr))
    upper = np.flatnonzero(one <= product.indices)
    one, other = one[upper], product.indices[upper].astype(np.int64)
    pairs = product.data.real[upper]
    sums = np.column_stack([product.data.imag[upper] for product in products])
    # With oneself: every judgment met itself, and every two of them twice.
    same = np.flatnonzero(one == other)
    pairs[same] = (pairs[same] - np.diff(bounds)) / 2
    for place, table in enumerate(tables):
        itself = table.diagonal()[values] if worth is None else worth * table.diagonal()[values]
        sums[same, place] = (sums[same, place] - np.bincount(row, weights=itself)) / 2
    if alone is not None:
        single = sizes[some] == 1
        by_itself = alone[values] if worth is None else worth * alone[values]
        pairs[same] += np.bincount(row[single], minlength=len(begins))
        sums[same, 0] += np.bincount(row[single], weights=by_itself[single], minlength=len(begins))
    met = np.flatnonzero(pairs)
    one, other = one[met], other[met]
    return Shared(
        prompts=prompts[begins[one]], first=labelers[begins[one]], second=labelers[begins[other]],
        rows=np.stack([one, other], axis=1), pairs=pairs[met], sums=sums[met],
    )  # fmt: skip
