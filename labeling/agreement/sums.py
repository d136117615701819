"""Rows of units summed over the prompts they belong to."""

import numpy as np

from labeling.agreement.figures import Floats, Ints


def by_prompt(rows: Floats, prompts: Ints) -> Floats:
    """(U, k) rows and the prompt of each -> (G, k), a row for each prompt that occurs."""
    found, code = np.unique(prompts, return_inverse=True)
    sums = np.zeros((len(found), rows.shape[1]))
    np.add.at(sums, code, rows)
    return sums
