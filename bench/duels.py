"""Two programs that do the same work, measured turn by turn on the same cores; environments for the peers.

Turns alternate, and so does who goes first: a neighbour that slows the machine slows both. Quoted are ratios of
neighbouring turns, and their median.
"""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from types import TracebackType
from typing import Any, Self

from bench.peers.turns import MARK

ROOT = Path(__file__).resolve().parent.parent
PEERS = ROOT / "bench" / "peers"
WAITING = {"OMP_WAIT_POLICY": "PASSIVE"}
"""Of both sides: a thread that waits for the other gives its core to a neighbour instead of spinning on it."""
TURN_SECONDS = 900


KNOWN = ("seconds", "processor_seconds", "units", "phases", "peak_mib")


class SideFailed(Exception):
    """A side ended before its turns did; the end of what it said is in the sentence."""


@dataclass(frozen=True)
class Turn:
    """processor_seconds: how long its threads had a core, all of them together; neighbours hardly change it."""

    seconds: float
    processor_seconds: float
    units: float
    phases: dict[str, float]
    peak_mib: float

    @property
    def rate(self) -> float:
        """Units of work a second."""
        return self.units / self.seconds

    @property
    def processor_rate(self) -> float:
        """Units of work a second of one core."""
        return self.units / self.processor_seconds


class Side:
    """A process that measures when it is asked to, from its warm-up to the end of the block."""

    def __init__(self, name: str, command: Sequence[str], *, log: Path) -> None:
        self.name = name
        self.command = command
        self.log = log
        self.facts: dict[str, Any] = {}
        self.turns: list[Turn] = []

    def __enter__(self) -> Self:
        self._said = self.log.open("w+")
        environment = {**os.environ, "TOKENIZERS_PARALLELISM": "false", "HF_HUB_OFFLINE": "1", **WAITING}
        self._process = subprocess.Popen(
            self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._said, text=True, cwd=ROOT,
            env=environment,
        )  # fmt: skip
        self._answer()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._process.kill()
        self._process.communicate()
        self._said.close()

    def take_turn(self) -> Turn:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write("go\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise SideFailed(self._why()) from None
        told = self._answer()
        self.turns.append(Turn(**{name: told[name] for name in KNOWN}))
        return self.turns[-1]

    def _answer(self) -> dict[str, Any]:
        """The next answer; what a program says besides goes into its log."""
        assert self._process.stdout is not None
        alarm = threading.Timer(TURN_SECONDS, self._process.kill)
        alarm.start()
        try:
            for line in self._process.stdout:
                if line.startswith(MARK):
                    told: dict[str, Any] = json.loads(line.removeprefix(MARK))
                    self.facts |= {name: value for name, value in told.items() if name not in KNOWN}
                    return told
                self._said.write(line)
        finally:
            alarm.cancel()
        raise SideFailed(self._why())

    def _why(self) -> str:
        self._process.wait()
        self._said.flush()
        return f"{self.name} ended with {self._process.returncode}: {self.log.read_text()[-2000:]}"

    @property
    def rate(self) -> float:
        return median(turn.rate for turn in self.turns)

    @property
    def peak_mib(self) -> float:
        return max(turn.peak_mib for turn in self.turns)

    def phases(self) -> dict[str, float]:
        """Seconds of each phase in a turn, medians."""
        return {name: median(turn.phases[name] for turn in self.turns) for name in self.turns[0].phases}


@dataclass
class Duel:
    """What was measured: ours against each peer, as ratios of neighbouring turns.

    processor_ratios: the same of the time that a side's threads had a core.
    """

    ours: Side
    peers: list[Side]
    ratios: dict[str, list[float]] = field(default_factory=dict)
    processor_ratios: dict[str, list[float]] = field(default_factory=dict)


def duel(ours: Side, *peers: Side, pairs: int, before_turns: Callable[[], None] = lambda: None) -> Duel:
    """`pairs` rounds, each side once in each; every second round the other way round.

    before_turns: called when every side has warmed up and before the first is timed: what has to be equal is compared.
    """
    names = [peer.name for peer in peers]
    found = Duel(ours, list(peers), {name: [] for name in names}, {name: [] for name in names})
    sides = [ours, *peers]
    before_turns()
    for round_ in range(pairs):
        for side in sides if round_ % 2 == 0 else reversed(sides):
            side.take_turn()
        for peer in peers:
            mine, theirs = ours.turns[-1], peer.turns[-1]
            found.ratios[peer.name].append(mine.rate / theirs.rate)
            found.processor_ratios[peer.name].append(mine.processor_rate / theirs.processor_rate)
    return found


def peer_python(name: str, *, folder: Path) -> Path:
    """The interpreter of a peer's environment, made with pip from bench/peers/<name>.txt where it is not there yet."""
    place = folder / name
    python, wanted = place / "bin" / "python", (PEERS / f"{name}.txt").read_text()
    made = place / "installed.txt"
    if not made.exists() or made.read_text() != wanted:
        print(f"installing bench/peers/{name}.txt into {place} (once) …", file=sys.stderr, flush=True)
        subprocess.run([sys.executable, "-m", "venv", str(place)], check=True)
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "-r", str(PEERS / f"{name}.txt")], check=True)
        made.write_text(wanted)
    return python
