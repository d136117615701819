"""What repeats goes on whatever goes wrong, until it has nothing more to do or its block ends."""

import threading

import pytest
from django.db import DatabaseError

from labeling.repeating import Repeated

SOON = 10.0


@pytest.mark.parametrize("error", [DatabaseError("no connection"), ZeroDivisionError()])
def test_an_error_is_logged_and_the_next_time_comes(error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    calls, again = [], threading.Event()

    def act() -> None:
        calls.append(None)
        if len(calls) == 1:
            raise error
        again.set()

    with Repeated(act, every=0.01, name="the post"):
        assert again.wait(SOON)
    assert "the post" in caplog.text


def test_it_ends_when_there_is_nothing_more_to_do() -> None:
    calls: list[None] = []

    def act() -> bool:
        calls.append(None)
        return len(calls) < 3

    with Repeated(act, every=0.001, name="three times") as repeated:
        repeated._thread.join(SOON)
        assert not repeated._thread.is_alive()
    assert len(calls) == 3


def test_the_first_call_waits_unless_it_is_told_not_to() -> None:
    called = threading.Event()
    with Repeated(called.set, every=60, name="later"):
        assert not called.wait(0.05)
    with Repeated(called.set, every=60, name="at once", at_once=True):
        assert called.wait(SOON)


def test_nothing_is_called_after_the_block() -> None:
    calls: list[None] = []
    with Repeated(lambda: calls.append(None), every=0.005, name="while it lasts") as repeated:
        pass
    assert not repeated._thread.is_alive()
