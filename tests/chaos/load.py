"""Callers that keep asking while parts of the system are killed, and what they were told."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import httpx

from tests.e2e.journeys import Caller
from tests.support.serving import Serving

CALLERS = 6
CALL_TIMEOUT_S = 40.0
ANSWERS_WITHIN_S = 180.0


@dataclass
class Load:
    """Spaces of several callers; `answers` holds every body that was answered."""

    serving: Serving
    spaces: list[str]
    answers: list[dict[str, Any]] = field(default_factory=list)
    refused: int = 0
    _ending: threading.Event = field(default_factory=threading.Event)
    _noted: threading.Condition = field(default_factory=threading.Condition)

    def run(self, space: str) -> None:
        """Ask in turn for accounts and movements until told to end."""
        with httpx.Client(base_url=self.serving.url, timeout=CALL_TIMEOUT_S) as http:
            for turn in range(100_000):
                if self._ending.is_set():
                    return
                operation = "getAccounts" if turn % 3 else "syncTransactions"
                body = {"params": {"spaceId": space, "institutionId": "ins_chase"}}
                try:
                    answer = http.post(f"/v1/operations/{operation}", json=body).json()
                except (httpx.HTTPError, ValueError):
                    # The ingress went away under the call: nothing was told, nothing is owed.
                    self.refused += 1
                    self._ending.wait(0.05)
                    continue
                self._note(answer)

    def go_on(self, answers: int) -> None:
        """Return once so many more answers have been given."""
        wanted = len(self.answers) + answers
        with self._noted:
            assert self._noted.wait_for(lambda: len(self.answers) >= wanted, ANSWERS_WITHIN_S)

    def ready_within(self, seconds: float, provider: str | None = None) -> float:
        """Seconds until a request is answered again (by that provider, if one is named)."""
        began = time.monotonic()
        while time.monotonic() - began < seconds:
            if self._answered(provider):
                return time.monotonic() - began
        raise AssertionError(f"no answer within {seconds} s")

    def _note(self, answer: dict[str, Any]) -> None:
        with self._noted:
            self.answers.append(answer)
            self._noted.notify_all()

    def _answered(self, provider: str | None) -> bool:
        body: dict[str, Any] = {
            "params": {"spaceId": self.spaces[0], "institutionId": "ins_chase"},
            "preferredProvider": provider or "plaid",
        }
        try:
            answer = httpx.post(
                f"{self.serving.url}/v1/operations/getAccounts", json=body, timeout=CALL_TIMEOUT_S
            ).json()
        except (httpx.HTTPError, ValueError):
            return False
        self._note(answer)
        return bool(answer.get("success")) and provider in (None, answer["provider"])


@contextmanager
def under_load(serving: Serving) -> Iterator[Load]:
    """Link several spaces twice each, and keep asking for them inside the block."""
    spaces = []
    for _ in range(CALLERS):
        caller = Caller(serving)
        caller.space = f"space_{uuid4().hex[:10]}"
        caller.link("plaid", "ins_chase")
        caller.link("mx", "ins_chase", backup=True)
        spaces.append(caller.space)
        caller.close()
    load = Load(serving, spaces)
    threads = [threading.Thread(target=load.run, args=(space,), daemon=True) for space in spaces]
    for thread in threads:
        thread.start()
    try:
        yield load
    finally:
        load._ending.set()
        for thread in threads:
            thread.join(CALL_TIMEOUT_S + 10)
