"""The worker of one machine sends webhooks from a thread, so that a stage of hours holds none of them up."""

import logging
import threading

from django.db import DatabaseError, connection

from labeling.sending import deliver_due

log = logging.getLogger(__name__)

LOOK_SECONDS = 2.0


class Outbox:
    """Sends what is due, from `with` to its end."""

    def __init__(self) -> None:
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._send, name="outbox", daemon=True)

    def __enter__(self) -> "Outbox":
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._over.set()
        self._thread.join(timeout=LOOK_SECONDS)

    def _send(self) -> None:
        while not self._over.wait(LOOK_SECONDS):
            try:
                deliver_due()
            except DatabaseError as error:
                log.warning("the outbox waits for the database: %s", error)
            finally:
                connection.close()  # this thread's own
