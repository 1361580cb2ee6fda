"""One request a key."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio

from actors.idempotent import IdempotentRequests
from actors.ports import ActorLost, VaultPort
from actors.vault import VaultDesk
from orchestrator.domain import (
    DecisionSummary,
    EncodedData,
    ErrorType,
    Operation,
    OperationError,
    OperationRequest,
    OperationResult,
    StoreError,
    decoded_data,
)
from orchestrator.vault import VaultCipher, VaultStore, vault_url
from tests.support.clock import SteppedClock
from tests.support.orders import NO_ACCOUNTS, params_of

DAY_S = 86_400.0
CIPHER = VaultCipher({"test": bytes(32)}, "test")
REQUEST = OperationRequest(
    "req_1",
    Operation.GET_ACCOUNTS,
    params_of(),
    "US",
    idempotency_key="key-1",
    body_mac="mac-1",
    caller_id="caller-1",
)


def _result(request: OperationRequest, error: ErrorType | None = None) -> OperationResult:
    return OperationResult(
        success=error is None,
        request_id=request.request_id,
        operation=request.operation,
        provider="plaid",
        failover_used=False,
        data=NO_ACCOUNTS if error is None else None,
        error=None if error is None else OperationError(error, "CODE", "message"),
        attempts=(),
        decision=DecisionSummary("priority", None, ()),
    )


class Router:
    """Gives its answers in turn, and counts what it was asked."""

    def __init__(self, *errors: ErrorType | None) -> None:
        self.asked: list[str] = []
        self._errors = list(errors)

    async def __call__(self, request: OperationRequest) -> OperationResult:
        """Answer."""
        self.asked.append(request.request_id)
        return _result(request, self._errors.pop(0) if self._errors else None)


@pytest_asyncio.fixture
async def vault(tmp_path: Path) -> AsyncIterator[VaultDesk]:
    """A vault of the test's own."""
    desk = VaultDesk(lambda: VaultStore(vault_url(tmp_path)))
    yield desk
    await desk.close()


def _requests(
    vault: VaultPort,
    router: Callable[[OperationRequest], Awaitable[OperationResult]],
    clock: SteppedClock | None = None,
) -> IdempotentRequests:
    return IdempotentRequests(router, vault, CIPHER, clock or SteppedClock())


def _bytes_in(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in folder.iterdir())


def _again(number: int = 2) -> OperationRequest:
    return replace(REQUEST, request_id=f"req_{number}")


async def test_without_a_key_every_request_is_served(vault: VaultDesk) -> None:
    """Serve a request without a key each time."""
    router = Router()
    requests = _requests(vault, router)
    plain = replace(REQUEST, idempotency_key=None)
    await requests.execute(plain)
    await requests.execute(plain)

    assert 2 == len(router.asked)


async def test_success_is_told_again(vault: VaultDesk) -> None:
    """Answer a repeated request as the first, marked as replayed, without serving it."""
    router = Router()
    requests = _requests(vault, router)
    first = await requests.execute(REQUEST)
    second = await requests.execute(_again())

    assert ["req_1"] == router.asked
    assert isinstance(second.data, EncodedData)
    assert replace(first, replayed=True) == replace(second, data=decoded_data(second.data))


@pytest.mark.parametrize(
    ("error", "served"),
    [
        (ErrorType.VALIDATION, 1),
        (ErrorType.AUTH, 1),
        (ErrorType.NOT_FOUND, 1),
        (ErrorType.NETWORK, 2),
        (ErrorType.PROVIDER_DOWN, 2),
        (ErrorType.RATE_LIMIT, 2),
        (ErrorType.DEADLINE, 2),
        (ErrorType.CONFLICT, 2),
    ],
)
async def test_only_final_failures_are_kept(
    vault: VaultDesk, error: ErrorType, served: int
) -> None:
    """Keep failures that will not change, and release the key of those that may."""
    router = Router(error)
    requests = _requests(vault, router)
    await requests.execute(REQUEST)
    await requests.execute(_again())

    assert served == len(router.asked)


async def test_other_body_is_refused(vault: VaultDesk) -> None:
    """Refuse the key for another body, under the new request's own id."""
    requests = _requests(vault, Router())
    await requests.execute(REQUEST)
    second = await requests.execute(replace(_again(), body_mac="mac-2"))

    assert second.error is not None
    assert (ErrorType.VALIDATION, "req_2") == (second.error.type, second.request_id)


async def test_key_in_use_is_a_conflict(vault: VaultDesk) -> None:
    """Refuse the key as long as its first request has not ended."""
    started, go_on = asyncio.Event(), asyncio.Event()

    async def slow(request: OperationRequest) -> OperationResult:
        started.set()
        await go_on.wait()
        return _result(request)

    requests = _requests(vault, slow)
    first = asyncio.create_task(requests.execute(REQUEST))
    await started.wait()
    second = await requests.execute(_again())
    go_on.set()
    await first
    third = await requests.execute(_again(3))

    assert second.error is not None
    assert ErrorType.CONFLICT is second.error.type
    assert third.replayed


async def test_key_is_released_when_serving_breaks(vault: VaultDesk) -> None:
    """Let the key go when its request ends in an exception, so that it can be sent again."""

    async def broken(_request: OperationRequest) -> OperationResult:
        raise RuntimeError("bug")

    with pytest.raises(RuntimeError):
        await _requests(vault, broken).execute(REQUEST)
    second = await _requests(vault, Router()).execute(_again())

    assert second.success
    assert not second.replayed


async def test_keys_are_forgotten_after_a_day(vault: VaultDesk) -> None:
    """Keep an answer for twenty-four hours and no longer."""
    clock, router = SteppedClock(running=False), Router()
    requests = _requests(vault, router, clock)
    await requests.execute(REQUEST)
    clock.jump(DAY_S - 1)
    await requests.execute(_again(2))
    clock.jump(2)
    await requests.execute(_again(3))

    assert ["req_1", "req_3"] == router.asked


@pytest.mark.parametrize(
    "other",
    [replace(REQUEST, caller_id="caller-2"), replace(REQUEST, idempotency_key="key-2")],
)
async def test_key_counts_within_its_caller(vault: VaultDesk, other: OperationRequest) -> None:
    """Serve another caller's and another key's request as new."""
    router = Router()
    requests = _requests(vault, router)
    await requests.execute(REQUEST)
    await requests.execute(other)

    assert 2 == len(router.asked)


async def test_doubt_is_told_until_it_clears_up(vault: VaultDesk) -> None:
    """Tell a doubt again as long as it lasts, and the connection once it is known."""
    doubt = ErrorType.IN_DOUBT
    router = Router(doubt, doubt, None)
    requests = _requests(vault, router)
    told = [await requests.execute(_again(number)) for number in range(1, 5)]

    assert [doubt, doubt, None, None] == [r.error.type if r.error else None for r in told]
    assert [False, True, False, True] == [r.replayed for r in told]
    assert ["req_1", "req_2", "req_3"] == router.asked


async def test_doubt_is_not_replaced_by_a_passing_failure(vault: VaultDesk) -> None:
    """Go on telling a doubt when asking again fails for another reason."""
    router = Router(ErrorType.IN_DOUBT, ErrorType.PROVIDER_DOWN)
    requests = _requests(vault, router)
    await requests.execute(REQUEST)
    second = await requests.execute(_again())

    assert second.error is not None
    assert ErrorType.IN_DOUBT is second.error.type


@pytest.mark.parametrize(
    ("error", "code"), [(ActorLost("vault"), "ACTOR_LOST"), (StoreError("away"), "STORE_FAILED")]
)
async def test_lost_vault_is_a_network_failure(
    vault: VaultDesk, error: Exception, code: str
) -> None:
    """Answer that a part was lost when the ledger cannot be asked, and serve nothing."""

    class Lost(VaultDesk):
        def __init__(self) -> None:
            """Have no store."""

        async def begin_idempotent(self, *_args: object, **_named: object) -> None:  # type: ignore[override]
            """Be gone."""
            raise error

    router = Router()
    result = await _requests(Lost(), router).execute(REQUEST)

    assert result.error is not None
    assert (ErrorType.NETWORK, code, True) == (
        result.error.type,
        result.error.code,
        result.error.retryable,
    )
    assert [] == router.asked


async def test_kept_answers_are_sealed(vault: VaultDesk, tmp_path: Path) -> None:
    """Keep no answer in clear on disk."""
    await _requests(vault, Router()).execute(REQUEST)
    kept = _bytes_in(tmp_path)

    assert b"key-1" in kept
    assert b"request_id" not in kept
