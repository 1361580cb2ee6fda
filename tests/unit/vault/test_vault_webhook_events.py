"""Webhook events are acted on once, however often a vendor sends them."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from vault_builders import NOW

from orchestrator.vault import VaultStore

DAY_S = 86_400.0


def test_an_event_comes_for_the_first_time_once(
    store: VaultStore, reopen: Callable[[], VaultStore]
) -> None:
    """Repeated, it is known, through restarts too."""
    first = store.webhook_events.first_time("plaid", "event", NOW)
    again = store.webhook_events.first_time("plaid", "event", NOW + 1)

    assert (first, again) == (True, False)
    assert not reopen().webhook_events.first_time("plaid", "event", NOW + 2)


@pytest.mark.parametrize(("provider", "event_id"), [("mx", "event"), ("plaid", "other")])
def test_events_count_by_provider_and_id(store: VaultStore, provider: str, event_id: str) -> None:
    """The same id of another vendor, and another id, are other events."""
    store.webhook_events.first_time("plaid", "event", NOW)

    assert store.webhook_events.first_time(provider, event_id, NOW)


def test_of_many_that_ask_at_once_one_is_first(reopen: Callable[[], VaultStore]) -> None:
    """Two deliveries in the same moment are one event."""
    stores = [reopen() for _ in range(4)]
    all_there = threading.Barrier(len(stores))

    def first_time(store: VaultStore) -> list[bool]:
        all_there.wait(10)
        return [store.webhook_events.first_time("plaid", f"e{n}", NOW) for n in range(10)]

    with ThreadPoolExecutor(len(stores)) as threads:
        answers = list(threads.map(first_time, stores, timeout=60))

    assert [1] * 10 == [sum(asked) for asked in zip(*answers, strict=True)]


def test_events_are_forgotten_after_30_days(store: VaultStore) -> None:
    """A purge counts and removes what is older, and nothing else."""
    store.webhook_events.first_time("plaid", "old", NOW - 1)
    store.webhook_events.first_time("plaid", "young", NOW)
    purged = store.webhook_events.purge(NOW + 30 * DAY_S)

    assert purged == 1
    assert store.webhook_events.first_time("plaid", "old", NOW)
    assert not store.webhook_events.first_time("plaid", "young", NOW)
