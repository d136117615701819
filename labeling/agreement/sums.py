"""Rows of units summed over the prompts they belong to."""

import numpy as np

from labeling.agreement.figures import Floats, Ints


def by_prompt(rows: Floats, prompts: Ints) -> Floats:
    """(U, k) rows and the prompt of each -> (G, k), a row for each prompt that occurs."""
    found, code = np.unique(prompts, return_inverse=True)
    columns = [np.bincount(code, weights=column, minlength=len(found)) for column in rows.T]
    return np.stack(columns, axis=1).astype(np.float64)
