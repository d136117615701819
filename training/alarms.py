"""What in a job's metrics is an alarm: rules on numbers alone, each with the line it draws and why it is there.

A rule looks at means of several steps, since single steps jump. An alarm stops nothing (`ppo.kl.stop_nats` does): it
says once that somebody should look, and why. docs/alarms.md tells the same in words.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import fmean, pvariance
from typing import Any

from training.models import Alarm

Kind = Alarm.Kind

MEAN_OF = 5
"""Steps that a figure is the mean of before it is compared with a line."""
KL_NATS_A_TOKEN = 0.5
"""Where no line is set: policies that people preferred stayed well below it (0.1 to 0.2 in the rehearsal), and the one
that gamed its reward model went through it at a sixth of its way."""
KL_OVER_TARGET = 2.0
"""Of an adaptive coefficient: that far above its target it does not hold."""
KL_NEAR_STOP = 0.8
"""Of stop_nats, above which the stage ends by itself."""
KL_BELOW_NATS = -0.5
"""A KL divergence is not negative; an estimate is, a little, by chance."""
LONGER, SHORTER = 1.5, 0.5
"""Of the length at the beginning."""
LENGTH_FROM = 3
"""Steps that the length at the beginning is the mean of."""
PART_WINDOW = 20
"""Steps within which the scores are compared, the later half with the earlier one."""
PART_ERRORS = 2.0
"""Standard errors of the difference that each of the two has to move by."""


@dataclass(frozen=True)
class Sounding:
    """An alarm before it is a row: what is wrong, since which step, in a sentence with the values."""

    kind: Alarm.Kind
    step: int
    message: str


class Lookout:
    """Heeds the metrics of one job in the order in which they are written, and tells what is wrong, each thing once.

    config: the job's. A step that was met before means that the run goes on from a checkpoint: what is remembered
    starts anew.
    """

    def __init__(self, config: Mapping[str, Any]) -> None:
        self._kl: Mapping[str, Any] = (config.get("ppo") or {}).get("kl") or {}
        self._told: set[str] = set()
        self._forget()

    def _forget(self) -> None:
        self._last_step = -1
        self._first_lengths: list[float] = []
        self._lately: dict[str, deque[float]] = {
            key: deque(maxlen=PART_WINDOW)
            for key in ("kl_sequence", "response_tokens", "score_mean", "watch_score_mean")
        }

    def heed(self, lines: Iterable[Mapping[str, Any]]) -> list[Sounding]:
        """lines: of metrics.jsonl, those of training among others."""
        found = []
        for line in lines:
            if line.get("split", "train") != "train":
                continue
            if line["step"] <= self._last_step:
                self._forget()
            self._last_step = line["step"]
            self._remember(line)
            for sounding in self._soundings(line):
                if sounding.kind not in self._told:
                    self._told.add(sounding.kind)
                    found.append(sounding)
        return found

    def _remember(self, line: Mapping[str, Any]) -> None:
        for key, values in self._lately.items():
            if isinstance(line.get(key), int | float):
                values.append(float(line[key]))
        if isinstance(line.get("response_tokens"), int | float) and len(self._first_lengths) < LENGTH_FROM:
            self._first_lengths.append(float(line["response_tokens"]))

    def _soundings(self, line: Mapping[str, Any]) -> Iterator[Sounding]:
        step = line["step"]
        lost = sorted(key for key, value in line.items() if value is None and key not in ("split", "attempt"))
        if lost:
            named = ", ".join(lost)
            yield Sounding(Kind.NOT_FINITE, step, f"Not finite at step {step:,}: {named}.")
        for kind, rule in ((Kind.KL, self._kl_rule), (Kind.LENGTH, self._length_rule), (Kind.SCORES_PART, self._part)):
            message = rule()
            if message:
                yield Sounding(kind, step, f"{message} (step {step:,}).")

    def _mean(self, key: str) -> float | None:
        values = list(self._lately[key])[-MEAN_OF:]
        return fmean(values) if len(values) == MEAN_OF else None

    def _kl_rule(self) -> str:
        kl, tokens = self._mean("kl_sequence"), self._mean("response_tokens")
        if kl is None:
            return ""
        if kl < KL_BELOW_NATS:
            return (
                f"The KL to the reference is {_minus(kl)} nats a response, and cannot be negative: look at both models"
            )
        for key, share, what in (
            ("stop_nats", KL_NEAR_STOP, "the run ends by itself at {line:g}"),
            ("target_nats", KL_OVER_TARGET, "the target is {line:g}"),
        ):
            line = self._kl.get(key)
            if line is not None:
                told = what.format(line=line)
                return f"The KL to the reference is {kl:.1f} nats a response; {told}" if kl > share * line else ""
        if tokens and kl / tokens > KL_NATS_A_TOKEN:
            return (
                f"The KL to the reference is {kl:.1f} nats a response of {tokens:.0f} tokens, over {KL_NATS_A_TOKEN:g} "
                f"a token: the policy has gone far from where its reward model knows its way"
            )
        return ""

    def _length_rule(self) -> str:
        now = self._mean("response_tokens")
        if now is None or len(self._first_lengths) < LENGTH_FROM or not (first := fmean(self._first_lengths)):
            return ""
        if SHORTER <= now / first <= LONGER:
            return ""
        how = "longer: read for padding" if now > first else "shorter: read for what is missing"
        return f"Responses have {now:.0f} tokens, {first:.0f} at the beginning: they grow {how}"

    def _part(self) -> str:
        scores, watched = list(self._lately["score_mean"]), list(self._lately["watch_score_mean"])
        if len(scores) < PART_WINDOW or len(watched) < PART_WINDOW:
            return ""
        up, down = _moved(scores), _moved(watched)
        if up[1] < PART_ERRORS or down[1] > -PART_ERRORS:
            return ""
        return (
            f"Within {PART_WINDOW} steps the score rose by {up[0]:.2f} while that of the second reward model fell by "
            f"{-down[0]:.2f}: the policy games the first"
        )


def _moved(values: Sequence[float]) -> tuple[float, float]:
    """By how much the later half lies above the earlier one, and in how many standard errors of that."""
    half = len(values) // 2
    before, after = values[:half], values[half:]
    difference = fmean(after) - fmean(before)
    error = sqrt(pvariance(before) / len(before) + pvariance(after) / len(after))
    return difference, difference / error if error else float("inf") * difference if difference else 0.0


def _minus(value: float) -> str:
    return f"{value:.1f}".replace("-", "−")
