"""One thing done again and again from a thread, beside whatever else its process is at: leases, beats, the outbox."""

import logging
import threading
from collections.abc import Callable
from typing import Self

from django.db import DatabaseError, connection

log = logging.getLogger(__name__)


class Repeated:
    """Calls act every so many seconds from `with` to its end, on a database connection of its own.

    What goes wrong is logged and tried again at the next time: a thread that ended would be missed by nobody. act says
    that there is nothing more to do by returning False. at_once: the first call does not wait.
    """

    def __init__(self, act: Callable[[], object], *, every: float, name: str, at_once: bool = False) -> None:
        self._act, self._every, self._name = act, every, name
        self._wait_first = 0.0 if at_once else every
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._repeat, name=name, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._over.set()
        self._thread.join(timeout=self._every)

    def _repeat(self) -> None:
        wait = self._wait_first
        while not self._over.wait(wait):
            wait = self._every
            try:
                if self._act() is False:
                    return
            except DatabaseError as error:
                log.warning("%s waits for the database: %s", self._name, error)
            except Exception:  # Whatever it was: what repeats is to be there the next time.
                log.exception("%s failed and is tried again", self._name)
            finally:
                connection.close()  # this thread's own
