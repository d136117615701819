"""The runs behind bench/reward_models.py: pretraining once, then a reward model for each set, setting and fold.

Each run leaves the scores of what was held out from it; scores are read back by the ids of row and response.
"""

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bench.reward_data import Judged
from bench.reward_figures import Scores
from bench.reward_settings import ALL_FIVE, CANDIDATES, Candidate, Size, pretrain_config, reward_config
from bench.stage_runs import Ended, Start, run_stage, start_process
from training.rlhf.contract.records import Response, Text, read_rows
from training.rlhf.contract.run_folder import RunFolder

Sets = Mapping[str, Sequence[Judged]]
HELD_OUT_TEXT = 40
"""Every fortieth document of the text is held out of pretraining."""


@dataclass(frozen=True)
class Trained:
    """A reward model on what it had not seen."""

    ended: Ended
    held_out: Sequence[Judged]
    scores: Scores


@dataclass(frozen=True)
class Runs:
    """Where runs stand, what they read, and how many go on at once."""

    work: Path
    size: Size
    sets: Sets
    texts: Sequence[Text]
    at_once: int = 1
    start: Start = start_process

    def pretrain(self) -> Ended:
        held_out = self.texts[::HELD_OUT_TEXT]
        learned = [text for number, text in enumerate(self.texts) if number % HELD_OUT_TEXT]
        return run_stage(
            self.work / "base", pretrain_config(self.size, seed=0),
            data={"text": ("text", learned), "held_out": ("text", held_out)}, start=self.start,
        )  # fmt: skip

    def choosing(self) -> dict[str, dict[str, Trained]]:
        """Candidate -> set -> a model trained on all folds, on the part on which settings are chosen."""
        base = self.pretrain()
        wanted = [(name, set_name) for name in self.size.candidates for set_name in self.size.choosing]

        def one(name: str, set_name: str) -> Trained:
            rows = self.rows(set_name)
            return self._train(
                f"choose-{name}-{set_name}", CANDIDATES[name], base, seed=0,
                train=[row for row in rows if row.fold is not None],
                held_out=[row for row in rows if row.fold is None],
            )  # fmt: skip

        done = self._all(partial(one, *each) for each in wanted)
        found: dict[str, dict[str, Trained]] = {}
        for (name, set_name), trained in zip(wanted, done, strict=True):
            found.setdefault(name, {})[set_name] = trained
        return found

    def testing(self, candidate: Candidate) -> dict[tuple[str, int], Trained]:
        """(set, fold) -> a model trained on everything but the fold, on the fold; each fold has a seed of its own.

        In the first fold there is also a model that learned from all five sets.
        """
        base = self.pretrain()
        wanted = [(name, fold) for fold in self.size.folds for name in self.sets] + [(ALL_FIVE, self.size.folds[0])]

        def one(name: str, fold: int) -> Trained:
            rows = self.rows(name)
            return self._train(
                f"fold-{fold}-{name}", candidate, base, seed=fold,
                train=[row for row in rows if row.fold != fold], held_out=[row for row in rows if row.fold == fold],
            )  # fmt: skip

        return dict(zip(wanted, self._all(partial(one, *each) for each in wanted), strict=True))

    @property
    def minutes(self) -> float:
        """Of all runs that are done, one after another."""
        done = [Ended(RunFolder(report.parent)) for report in self.work.glob("*/report.json")]
        return sum(run.seconds for run in done) / 60

    def rows(self, name: str) -> list[Judged]:
        if name == ALL_FIVE:
            return [row for of_set in self.sets.values() for row in of_set]
        return list(self.sets[name])

    def _train(
        self,
        name: str,
        candidate: Candidate,
        base: Ended,
        *,
        seed: int,
        train: Sequence[Judged],
        held_out: Sequence[Judged],
    ) -> Trained:
        shared = {one.group for one in train} & {one.group for one in held_out}
        assert not shared, f"{name}: {len(shared)} groups would be learned from and tested"
        ended = run_stage(
            self.work / name, reward_config(self.size, candidate, seed=seed), models={"base": base.folder.model},
            data={
                "train": ("ranking", [one.row for one in train]),
                "held_out": ("ranking", [one.row for one in held_out]),
            },
            start=self.start,
        )  # fmt: skip
        print(f"{name} is done", flush=True)
        return Trained(ended, held_out, scores_of(ended))

    def _all(self, calls: Iterable[partial[Trained]]) -> list[Trained]:
        if self.at_once == 1:
            return [call() for call in calls]
        with ThreadPoolExecutor(self.at_once) as pool:
            return [future.result() for future in [pool.submit(call) for call in calls]]


def scores_of(ended: Ended) -> Scores:
    """Written as {row}/{response}/{condition}; there is no condition here."""
    rows = read_rows(ended.folder.output("validation_scores"), Response)
    return {(row.prompt, row.id[len(row.prompt) + 1 : -1]): row.scores["reward"] for row in rows}
