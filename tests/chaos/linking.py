"""Users who keep linking banks while parts of the system are killed, and what they were told."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import httpx

from tests.support.serving import Serving

USERS = 2
CALL_TIMEOUT_S = 40.0
DEADLINE_MS = 10_000
LOST_S = DEADLINE_MS / 1000 + 10
"""After which a request whose process died does not count as running any more."""
_AGAIN_S = 0.05


@dataclass
class Exchange:
    """One temporary token and its one exchange; `told` is what was answered, if anything was."""

    params: dict[str, str]
    key: str
    told: httpx.Response | None = None

    @property
    def acknowledged(self) -> bool:
        """Whether the user was told of a connection."""
        return self.told is not None and self.told.status_code == 200

    def send(self, serving: Serving) -> httpx.Response:
        """Send it under its key."""
        return httpx.post(
            f"{serving.url}/v1/operations/exchangeToken",
            json={"params": self.params, "deadlineMs": DEADLINE_MS},
            headers={"Idempotency-Key": self.key},
            timeout=CALL_TIMEOUT_S,
        )


@dataclass
class Linking:
    """Everything that was exchanged at Plaid, whose tokens an exchange uses up."""

    serving: Serving
    exchanges: list[Exchange] = field(default_factory=list)
    _ending: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Link a bank for one customer after another, until told to end."""
        while not self._ending.is_set():
            try:
                exchange = self._played()
            except (httpx.HTTPError, KeyError, ValueError):
                # No link session, so no token: nothing is owed.
                self._ending.wait(_AGAIN_S)
                continue
            self.exchanges.append(exchange)
            try:
                exchange.told = exchange.send(self.serving)
            except httpx.HTTPError:
                self._ending.wait(_AGAIN_S)

    def _played(self) -> Exchange:
        space = f"space_{uuid4().hex[:10]}"
        made: dict[str, Any] = httpx.post(
            f"{self.serving.url}/v1/operations/createLink",
            json={
                "params": {"spaceId": space, "institutionId": "ins_chase"},
                "preferredProvider": "plaid",
            },
            timeout=CALL_TIMEOUT_S,
        ).json()["data"]
        if made["provider"] != "plaid":
            raise ValueError(made["provider"])
        session = made["linkSessionId"]
        played = httpx.post(
            f"{self.serving.sandbox_url}/_control/complete",
            json={"linkSessionId": session},
            timeout=CALL_TIMEOUT_S,
        ).json()
        params = {
            "spaceId": space,
            "linkSessionId": session,
            "temporaryToken": played["temporaryToken"],
        }
        return Exchange(params, session)


@contextmanager
def users_linking(serving: Serving) -> Iterator[Linking]:
    """Keep linking inside the block."""
    linking = Linking(serving)
    threads = [threading.Thread(target=linking.run, daemon=True) for _ in range(USERS)]
    for thread in threads:
        thread.start()
    try:
        yield linking
    finally:
        linking._ending.set()
        for thread in threads:
            thread.join(4 * CALL_TIMEOUT_S)


def _once_nothing_runs(exchange: Exchange, system: Serving) -> httpx.Response:
    """Its answer now; a caller who is told that the first request still runs asks again."""
    until = time.monotonic() + LOST_S
    while True:
        answer = exchange.send(system)
        running = answer.status_code == 409 and answer.json()["error"]["type"] == "conflict"
        if not running or time.monotonic() > until:
            return answer
        threading.Event().wait(answer.json()["error"]["retryAfterS"])


def assert_exchanged_at_most_once(system: Serving, linking: Linking) -> None:
    """What was acknowledged is answered again and there; no token was sent twice, asked or not."""
    for exchange in linking.exchanges:
        again = _once_nothing_runs(exchange, system)
        listed = httpx.get(
            f"{system.url}/v1/spaces/{exchange.params['spaceId']}/connections", timeout=30
        ).json()["connections"]

        if exchange.acknowledged:
            assert exchange.told is not None
            assert 200 == again.status_code, again.text
            assert exchange.told.json()["data"] == again.json()["data"]
            assert "true" == again.headers.get("Idempotent-Replayed")
        if again.status_code == 200:
            assert [again.json()["data"]["connectionId"]] == [c["connectionId"] for c in listed]
        else:
            assert "in_doubt" == again.json()["error"]["type"], again.text
            assert [] == listed
    calls = httpx.get(f"{system.sandbox_url}/_control/calls", timeout=30).json()["calls"]
    sent = sum(
        row["count"]
        for row in calls
        if (row["provider"], row["operation"]) == ("plaid", "exchangeToken")
    )
    acknowledged = sum(exchange.acknowledged for exchange in linking.exchanges)

    assert acknowledged > 0
    assert acknowledged <= sent <= len(linking.exchanges)
