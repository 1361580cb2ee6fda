"""One request a key, and its answer again for whoever repeats it."""

from collections.abc import Callable

import pytest
from vault_builders import NOW

from orchestrator.domain import Operation
from orchestrator.vault import Fresh, IdempotencyStart, Mismatch, Replay, Running, VaultStore

DAY_S = 86_400
EXCHANGE = Operation.EXCHANGE_TOKEN


def begin(
    store: VaultStore,
    *,
    caller: str = "caller",
    operation: Operation = EXCHANGE,
    key: str = "key",
    mac: str = "mac",
    now: float = NOW,
    longest_run_s: float = 900.0,
) -> IdempotencyStart:
    """Take a key."""
    return store.idempotency.begin(caller, operation, key, mac, now, longest_run_s=longest_run_s)


def test_a_key_runs_once_and_then_replays(store: VaultStore) -> None:
    """A new key is fresh, a running one says so, and a finished one gives its bytes again."""
    first, second = begin(store), begin(store)
    store.idempotency.finish("caller", EXCHANGE, "key", b"\x00answer", NOW)

    assert (first, second) == (Fresh(), Running())
    assert begin(store) == Replay(b"\x00answer")
    assert b"answer".decode() not in repr(begin(store))


@pytest.mark.parametrize("finished", [False, True])
def test_another_body_under_the_same_key_is_a_mismatch(store: VaultStore, finished: bool) -> None:
    """Same key, other body: refused whether the first runs or has ended."""
    begin(store)
    if finished:
        store.idempotency.finish("caller", EXCHANGE, "key", b"answer", NOW)

    assert begin(store, mac="other") == Mismatch()


@pytest.mark.parametrize(
    "other", [{"caller": "other"}, {"operation": Operation.CREATE_LINK}, {"key": "other"}]
)
def test_keys_count_by_caller_and_operation(store: VaultStore, other: dict[str, str]) -> None:
    """The same key of another caller, or for another operation, is another key."""
    begin(store)

    assert begin(store, **other) == Fresh()  # type: ignore[arg-type]


def test_a_released_key_is_fresh_again(store: VaultStore) -> None:
    """After a retryable failure the key is free, for another body too."""
    begin(store)
    store.idempotency.release("caller", EXCHANGE, "key")

    assert begin(store, mac="other") == Fresh()


def test_answers_are_kept_for_a_day(store: VaultStore) -> None:
    """An answer is given again until 24 hours after it was kept, and then the key is fresh."""
    begin(store)
    store.idempotency.finish("caller", EXCHANGE, "key", b"answer", NOW + 10)

    assert begin(store, now=NOW + 10 + DAY_S - 1) == Replay(b"answer")
    assert begin(store, now=NOW + 10 + DAY_S) == Fresh()


def test_a_purge_forgets_old_keys_alone(store: VaultStore) -> None:
    """A purge counts and removes what is a day old."""
    for key, kept_at in (("old", NOW), ("young", NOW + 60)):
        begin(store, key=key)
        store.idempotency.finish("caller", EXCHANGE, key, b"answer", kept_at)
    purged = store.idempotency.purge(NOW + DAY_S)

    assert purged == 1
    assert begin(store, key="young", now=NOW + DAY_S) == Replay(b"answer")


def test_a_key_whose_request_was_lost_is_free_in_the_end(store: VaultStore) -> None:
    """No request lives for a quarter of an hour: what still runs then is let go."""
    begin(store)

    assert begin(store, mac="other", now=NOW + 899) == Mismatch()
    assert begin(store, mac="other", now=NOW + 900) == Fresh()


def test_a_key_is_taken_over_once_its_request_cannot_run_any_more(store: VaultStore) -> None:
    """By the same request, and no other; an answer that came is no longer up for that."""
    begin(store)

    assert begin(store, now=NOW + 34.9, longest_run_s=35.0) == Running()
    assert begin(store, now=NOW + 35.0, longest_run_s=35.0, mac="other") == Mismatch()
    assert begin(store, now=NOW + 35.0, longest_run_s=35.0) == Fresh()
    assert begin(store, now=NOW + 69.9, longest_run_s=35.0) == Running()
    store.idempotency.finish("caller", EXCHANGE, "key", b"answer", NOW + 36)
    assert begin(store, now=NOW + 90.0, longest_run_s=35.0) == Replay(b"answer")


def test_a_crash_lets_unfinished_keys_go_and_keeps_answers(
    reopen: Callable[[], VaultStore],
) -> None:
    """After a restart a key that ran is free and a finished one still replays."""
    dead = reopen()
    begin(dead, key="ran")
    begin(dead, key="done")
    dead.idempotency.finish("caller", EXCHANGE, "done", b"answer", NOW)
    alive = reopen()
    alive.recover()

    assert begin(alive, key="ran") == Fresh()
    assert begin(alive, key="done") == Replay(b"answer")
