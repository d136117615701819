"""Do labelers agree: pure functions on plain data. No queries, no pages; docs/agreement.md says what each figure means.

`Judged.of(rows)` or `comparisons(rankings)` holds the judgments; every function answers with a `Figure`: a value, what
it rests on and its interval, or the reason why it is undefined.
"""

from labeling.agreement.alpha import krippendorff_alpha
from labeling.agreement.figures import Figure, Interval, undefined
from labeling.agreement.judged import Judged
from labeling.agreement.kappa import fleiss_kappa, gwet_ac1
from labeling.agreement.pairwise import agreement_of_each, agreement_of_pairs, pairwise_agreement
from labeling.agreement.rank_correlation import concordance, mean_concordance, mean_tau_b, tau_b
from labeling.agreement.rankings import Ranking, comparisons

__all__ = [
    "Figure",
    "Interval",
    "Judged",
    "Ranking",
    "agreement_of_each",
    "agreement_of_pairs",
    "comparisons",
    "concordance",
    "fleiss_kappa",
    "gwet_ac1",
    "krippendorff_alpha",
    "mean_concordance",
    "mean_tau_b",
    "pairwise_agreement",
    "tau_b",
    "undefined",
]
