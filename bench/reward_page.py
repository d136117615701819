"""docs/reward_models.md: what the runs of bench/reward_models.py gave, and one sentence a set on what it allows."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Self

from bench.reporting import Figure, machine, table, versions
from bench.reward_figures import (
    Found,
    SetFacts,
    SetFigures,
    facts_of,
    figures_of,
    mean,
    mean_of,
    pairs_of,
    share,
)
from bench.reward_runs import Runs, Trained
from bench.reward_settings import ALL_FIVE, CANDIDATES, Size

LOG_TWO = math.log(2)
FEW_PAIRS = 20
"""A bin of calibration or length with fewer says nothing."""


@dataclass(frozen=True)
class Tried:
    """A setting on the part where settings are chosen: by set, and the means over sets that decide."""

    accuracy: Mapping[str, Found]
    surprise: Mapping[str, Found]

    @property
    def mean_accuracy(self) -> float:
        return _mean(self.accuracy)

    @property
    def mean_surprise(self) -> float:
        return _mean(self.surprise)


@dataclass(frozen=True)
class Joint:
    """On one set: its own model, the model that learned from all five, and the second minus the first, pair by pair."""

    own: Found
    all_five: Found
    gain: Found


@dataclass(frozen=True)
class Results:
    """Everything that the page tells. joint: in the first fold, by set. too_long: rows by set."""

    size: Size
    pretrained: Mapping[str, Any]
    facts: Mapping[str, SetFacts]
    tried: Mapping[str, Tried]
    chosen: str
    figures: Mapping[str, SetFigures]
    too_long: Mapping[str, int]
    joint: Mapping[str, Joint]
    minutes: float

    @classmethod
    def of(cls, runs: Runs) -> Self:
        """Makes the runs, those that are not there."""
        tried = {name: _tried(by_set) for name, by_set in runs.choosing().items()}
        chosen = min(tried, key=lambda name: tried[name].mean_surprise)
        trained = runs.testing(CANDIDATES[chosen])
        of_set = {
            name: [(done.held_out, done.scores) for (on, _), done in trained.items() if on == name]
            for name in runs.sets
        }
        first = runs.size.folds[0]
        joint = {name: _joint(trained[name, first], trained[ALL_FIVE, first]) for name in runs.sets}
        return cls(
            size=runs.size,
            pretrained=runs.pretrain().report,
            facts={name: facts_of(rows) for name, rows in runs.sets.items()},
            tried=tried,
            chosen=chosen,
            figures={
                name: figures_of([pairs_of(rows, scores) for rows, scores in folds]) for name, folds in of_set.items()
            },
            too_long={
                name: sum((one.row.id, "r0") not in scores for rows, scores in folds for one in rows)
                for name, folds in of_set.items()
            },
            joint=joint,
            minutes=runs.minutes,
        )


def _tried(by_set: Mapping[str, Trained]) -> Tried:
    pairs = {name: pairs_of(done.held_out, done.scores) for name, done in by_set.items()}
    return Tried(
        accuracy={name: share(found, lambda pair: pair.right) for name, found in pairs.items()},
        surprise={name: mean(found, lambda pair: pair.surprise) for name, found in pairs.items()},
    )


def _joint(own: Trained, all_five: Trained) -> Joint:
    """Both were tested on the same rows; lengths leave the same ones out of both."""
    before, after = pairs_of(own.held_out, own.scores), pairs_of(own.held_out, all_five.scores)
    return Joint(
        own=share(before, lambda pair: pair.right),
        all_five=share(after, lambda pair: pair.right),
        gain=mean_of([(b.group, a.right - b.right) for b, a in zip(before, after, strict=True)]),
    )


def _mean(found: Mapping[str, Found]) -> float:
    known = [one.value for one in found.values() if one.value is not None]
    return sum(known) / len(known) if known else math.nan


# --- the sentence -----------------------------------------------------------------------------------------------------


def claim(figures: SetFigures, human: Found) -> str:
    """What the intervals allow to say, and no more."""
    accuracy, over = figures.accuracy, figures.over_length
    if accuracy.low is None or over.low is None or over.high is None:
        return "Too few groups of prompts for an interval: nothing can be claimed."
    beyond = _beyond_length(figures)
    if accuracy.high is not None and accuracy.high < 0.5:
        said = "It is worse than chance on prompts that it has not seen."
    elif accuracy.low <= 0.5:
        said = "It is not shown to be better than chance."
    elif over.low > 0:
        said = f"It is better than chance and than length alone{beyond}."
    elif over.high < 0:
        said = f"It is better than chance, but worse than the rule that {figures.length_rule}{beyond}."
    else:
        said = f"It is better than chance, and not shown to be better than the rule that {figures.length_rule}{beyond}."
    if over.high < 0 and accuracy.low <= 0.5:
        said += f" The rule that {figures.length_rule} does better."
    if human.low is not None and accuracy.high is not None and accuracy.high < human.low:
        said += " It is below what people agree on among themselves."
    return f"{said} {_probabilities(figures.surprise)}"


def _beyond_length(figures: SetFigures) -> str:
    nearly_equal = figures.by_ratio["below 1.25"]
    if nearly_equal.low is None:
        return ""
    if nearly_equal.low > 0.5:
        return ", also where both are about as long"
    return "; where both are about as long it is not shown to know anything"


def _probabilities(surprise: Found) -> str:
    if surprise.low is None or surprise.high is None:
        return ""
    if surprise.high < LOG_TWO:
        return "Its probabilities are worth more than saying one half each time."
    if surprise.low > LOG_TWO:
        return "Its probabilities are worth less than saying one half each time: it is too sure of itself."
    return "Its probabilities are not shown to be worth more than saying one half each time."


# --- the page ---------------------------------------------------------------------------------------------------------


def page(results: Results) -> str:
    claims = [f"* `{name}`: {claim(found, results.facts[name].human)}" for name, found in results.figures.items()]
    return PAGE.format(
        machine=machine(), versions=versions("torch", "transformers"), minutes=round(results.minutes),
        parameters=results.pretrained["parameters"] / 1e6, layers=results.size.layers, width=results.size.width,
        text_tokens=results.pretrained["tokens"] / 1e6, text_loss=results.pretrained["validation_loss"],
        chosen=CANDIDATES[results.chosen].told(), claims="\n".join(claims), facts=facts_table(results),
        accuracy=accuracy_table(results), by_length=length_table(results), calibration=calibration_table(results),
        joint=joint_table(results), tried=tried_table(results), context=results.size.lengths["context_tokens"],
    )  # fmt: skip


def facts_table(results: Results) -> str:
    rows = [
        (
            name, one.rankings, one.pairs, one.tied, one.labelers, one.responses, one.groups, results.too_long[name],
            shown(one.human) if one.human.pairs else "nobody judged twice",
        )
        for name, one in results.facts.items()
    ]  # fmt: skip
    heads = ("set", "rankings", "pairs told apart", "tied", "labelers", "K", "groups", "too long to test",
             "people agree")  # fmt: skip
    return table(heads, rows)


def accuracy_table(results: Results) -> str:
    rows = [
        (
            name, one.accuracy.pairs, one.accuracy.groups, shown(one.accuracy),
            " ".join("–" if fold is None else f"{fold:.3f}" for fold in one.by_fold),
            f"{shown(one.length)}, {one.length_rule.split()[1]}", shown(one.over_length, sign=True),
            shown(one.surprise),
        )
        for name, one in results.figures.items()
    ]  # fmt: skip
    heads = ("set", "pairs", "groups", "reward model", "each fold", "length alone", "model minus length", "log loss")
    return table(heads, rows)


def length_table(results: Results) -> str:
    rows = [
        (name, *map(shown, one.by_ratio.values()), shown(one.longer_preferred), shown(one.shorter_preferred))
        for name, one in results.figures.items()
    ]
    ratios = next(iter(results.figures.values())).by_ratio
    heads = ("set", *(f"longer by {ratio}" for ratio in ratios), "the longer one was preferred", "the shorter one was")
    return table(heads, rows)


def calibration_table(results: Results) -> str:
    def cell(told: float | None, found: Found) -> str:
        if told is None or found.value is None or found.pairs < FEW_PAIRS:
            return f"– ({found.pairs})"
        return f"{told:.2f}: {found.value:.2f} ({found.pairs:,})"

    rows = [(name, *(cell(told, found) for _, told, found in one.calibration)) for name, one in results.figures.items()]
    bins = [name for name, _, _ in next(iter(results.figures.values())).calibration]
    return table(("set", *bins), rows)


def joint_table(results: Results) -> str:
    rows = [
        (name, one.own.pairs, shown(one.own), shown(one.all_five), shown(one.gain, sign=True))
        for name, one in results.joint.items()
    ]
    return table(("set", "pairs", "model of this set", "model of all five", "difference"), rows)


def tried_table(results: Results) -> str:
    sets = list(results.size.choosing)
    rows = [
        (
            CANDIDATES[name].told() + (" (chosen)" if name == results.chosen else ""),
            *(f"{one.accuracy[of].value or 0:.3f} / {one.surprise[of].value or 0:.3f}" for of in sets),
            f"{one.mean_accuracy:.3f} / {one.mean_surprise:.3f}",
        )
        for name, one in results.tried.items()
    ]  # fmt: skip
    return table(("setting", *sets, "mean"), rows)


def shown(found: Found, *, sign: bool = False) -> str:
    if found.value is None:
        return "–"
    form = "+.3f" if sign else ".3f"
    reach = "no interval" if found.low is None else f"{found.low:{form}} to {found.high:{form}}"
    return f"{found.value:{form}} ({reach})"


def flat(results: Results) -> dict[str, Figure]:
    """The figures under plain names: `pairs_tulu_accuracy_low`."""
    told: dict[str, Figure] = {"minutes": results.minutes, "chosen": results.chosen}
    for name, one in results.figures.items():
        for field in fields(one):
            found = getattr(one, field.name)
            if isinstance(found, Found):
                told |= {
                    f"{name}_{field.name}": found.value, f"{name}_{field.name}_low": found.low,
                    f"{name}_{field.name}_high": found.high, f"{name}_{field.name}_pairs": found.pairs,
                }  # fmt: skip
    return told


PAGE = """# Reward models on real preferences

Made by `python bench/reward_models.py --data ../shared/data --work DIR`.
{machine}; {versions}. {minutes} minutes, all runs one after another, on a machine that was busy with other work.

A Llama of {parameters:.2f} million parameters ({layers} layers of width {width}) reads {text_tokens:.2f} million tokens
of public-domain books (held-out loss {text_loss:.2f} nats a token), and reward models learn from it, one for each of
five sets of real preferences. Nothing this small and this little read knows what the texts say; accuracy near chance is
what one expects, and is told. InstructGPT's reward model of 6 billion parameters stands at 72.4 ± 0.4 % (Ouyang et al.
2022).

## What can be claimed

{claims}

## How it was measured

Prompts that belong together (a conversation, an article, a product's tasks) or that share half of their runs of five
words are one group, across all sets. 15 % of the groups serve to choose settings and are in no test; the others fall
into three folds. A model learns from everything but a fold and is tested on it, so every prompt of the folds is tested
once, by a model that saw neither it nor one near it; each fold has a seed of its own. The setting is one for all sets
({chosen}), chosen by the log loss on those 15 %.

A pair counts once for every labeler who told it apart. Intervals are of 95 %, over groups: Wilson's with the effective
number of outcomes for shares, a bootstrap for differences and log loss. Length is in characters; of "the longer one is
better" and its reverse, the one stands that does better on these very pairs, which favours length. Answers to
`rankings_fgrlhf` were judged with passages of Wikipedia in view; the model sees the question alone. Rankings beyond
{context} tokens are left out of training and test.

{facts}

"People agree" is how often one labeler's choice is another's where both told the pair apart: about what a model can
reach on single choices. `pairs_hh_harmless`, `rankings_fgrlhf` and `rankings_oasst` say nothing of it: one choice each,
or one order merged from several people's.

## Accuracy

{accuracy}

Log loss is in nats a pair; a model that knows nothing and says so has 0.693.

## Where it is right

By how many times as long the longer answer is, and by whether people preferred it:

{by_length}

## Calibration

How sure the model is, on average in the bin, then the share that was right (pairs). Fewer than 20 pairs: no figure.

{calibration}

## One model of all five sets

On the first fold: the model that learned from one set, and the one that learned from all five.

{joint}

## What was tried

On the 15 %, by models trained on the rest: accuracy / log loss, on two of the sets for want of time.

{tried}

Not tried, for want of time: more than {text_tokens:.1f} million tokens of text, larger models, the passages of
`rankings_fgrlhf`, longer contexts, weight decay (dropout stays off in this stage).
"""
