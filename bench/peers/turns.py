"""Taking turns: two processes that measure the same work one after the other, many times, on the same cores.

A side warms up, says that it is ready and waits. For each "go" on its input it takes so many steps, says how long they
took and how long its threads had a core, and waits again, idle, while the other side measures. At the end of its input
the process ends. Standard library only: it runs in every peer's environment.
"""

import json
import os
import resource
import sys
import time
from typing import Any

MARK = "turn: "


class Turns:
    """Called after every optimizer step (or iteration) of the side that is measured."""

    def __init__(self, *, warm_steps: int, steps: int) -> None:
        self.warm_steps = warm_steps
        self.steps = steps
        self.facts: dict[str, Any] = {}
        """Told with the next answer: what was seen once, such as the loss of the first step."""
        self._done = 0
        self._units = 0.0
        self._phases: dict[str, float] = {}
        self._started = self._worked = 0.0

    def after_step(self, units: float, phases: dict[str, float] | None = None) -> None:
        """units: of work in this step. phases: seconds of each of its parts."""
        self._done += 1
        self._units += units
        for name, seconds in (phases or {}).items():
            self._phases[name] = self._phases.get(name, 0.0) + seconds
        since_warm = self._done - self.warm_steps
        if since_warm == 0 or (since_warm > 0 and since_warm % self.steps == 0):
            self._tell_and_wait(time.perf_counter() - self._started, time.process_time() - self._worked)

    def _tell_and_wait(self, seconds: float, processor_seconds: float) -> None:
        peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        told = {
            "seconds": seconds, "processor_seconds": processor_seconds, "units": self._units, "phases": self._phases,
            "peak_mib": peak_mib, **self.facts,
        }  # fmt: skip
        sys.stdout.write(f"\n{MARK}{json.dumps(told)}\n")
        sys.stdout.flush()
        if not sys.stdin.readline():
            os._exit(0)  # the run is never finished: nothing of it is kept
        self._units, self._phases, self.facts = 0.0, {}, {}
        self._started, self._worked = time.perf_counter(), time.process_time()
