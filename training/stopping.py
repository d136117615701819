"""How a worker is told to stop."""

import signal
import threading
import time
from types import FrameType
from typing import Any


class StopSignal:
    """Becomes true at the first SIGTERM or SIGINT; `set` says the same from within.

    Outside the main thread, where Python hears no signals, it can only be set.
    """

    def __init__(self) -> None:
        # Not an Event: its lock may be held at the moment a signal comes, by the very thread that hears it.
        self._asked = False
        self._before: dict[int, Any] = {}

    def __bool__(self) -> bool:
        return self._asked

    def set(self) -> None:
        self._asked = True

    def wait(self, seconds: float) -> None:
        """Sleeps, but no longer than until it is told to stop."""
        until = time.monotonic() + seconds
        while not self._asked and (left := until - time.monotonic()) > 0:
            time.sleep(min(left, 0.1))

    def __enter__(self) -> "StopSignal":
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
                self._before[number] = signal.signal(number, self._hear)
        return self

    def __exit__(self, *exception: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _hear(self, number: int, frame: FrameType | None) -> None:
        self._asked = True
