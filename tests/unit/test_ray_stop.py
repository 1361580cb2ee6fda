"""A step of a stop takes no longer than it may, whatever it waits for."""

import threading
import time

import pytest

from orchestrator.ray_stop import bounded


def test_a_step_that_ends_has_been_done() -> None:
    """Work that returns was done, and its thread is not waited for any longer."""
    done = threading.Event()

    assert bounded(done.set, within_s=10.0)
    assert done.is_set()


@pytest.mark.parametrize("is_hopeless", [False, True])
def test_a_step_that_hangs_is_given_up(*, is_hopeless: bool) -> None:
    """When its time is over, or at once where nobody is left who could answer it."""
    never = threading.Event()
    asked: list[int] = []

    def hopeless() -> bool:
        asked.append(1)
        return is_hopeless and len(asked) > 1

    def hang() -> None:
        never.wait(60.0)

    began = time.monotonic()
    done = bounded(
        hang,
        within_s=60.0 if is_hopeless else 0.3,
        hopeless=hopeless,
    )
    took_s = time.monotonic() - began
    never.set()

    assert not done
    assert took_s < 10.0


def test_a_step_that_fails_is_told_and_the_stop_goes_on() -> None:
    """An error of a step is no error of the stop."""

    def fail() -> None:
        raise OSError("no answer")

    assert not bounded(fail, within_s=10.0)


def test_a_hopeless_step_is_not_begun() -> None:
    """Where it is known before, nothing is tried."""
    begun = threading.Event()

    assert not bounded(begun.set, within_s=10.0, hopeless=lambda: True)
    assert not begun.is_set()
