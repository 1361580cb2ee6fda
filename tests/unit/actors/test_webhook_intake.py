"""Webhooks at the edge: sealed for their provider, and refused in our words."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import cast

import pytest
import structlog.testing

from actors.attempt_failures import LATE
from actors.ports import ActorLost, ProviderPort
from actors.sealed_webhook import open_webhook
from actors.webhook_intake import WebhookIntake
from orchestrator.domain import (
    ErrorType,
    OperationError,
    ProviderFailure,
    RequestRefused,
    StoreError,
    WebhookRefusal,
    WebhookRefused,
)
from orchestrator.providers.webhooks import WebhookDelivery
from orchestrator.vault import VaultCipher
from orchestrator.web.problem import status_of
from tests.support.clock import SteppedClock

CIPHER = VaultCipher({"k1": b"k" * 32}, "k1")
HEADERS = {"authorization": "Bearer agreed-value"}
BODY = b'{"member_guid": "MBR-secret"}'
CLOCK = SteppedClock(running=False)

Act = Callable[[bytes], Awaitable[None]]


class Port:
    """A provider's actor that does with webhooks what a test says."""

    def __init__(self, act: Act) -> None:
        self.sealed: list[bytes] = []
        self._act = act

    async def webhook(self, sealed: bytes) -> None:
        """See `ProviderPort`."""
        self.sealed.append(sealed)
        await self._act(sealed)


async def taken(_sealed: bytes) -> None:
    """All is well."""


def raising(error: Exception) -> Act:
    """Refuse, or be in trouble."""

    async def act(_sealed: bytes) -> None:
        raise error

    return act


def intake(port: Port) -> WebhookIntake:
    """An intake with Plaid configured, and MX known."""
    return WebhookIntake({"plaid": cast(ProviderPort, port)}, ("plaid", "mx"), CIPHER, CLOCK)


async def refusal(act: Act, provider: str = "plaid") -> OperationError:
    """What a webhook is refused with."""
    with pytest.raises(RequestRefused) as caught:
        await intake(Port(act)).receive(provider, HEADERS, BODY)
    return caught.value.error


async def test_delivery_is_sealed_for_its_provider() -> None:
    """Hand on headers, body and time sealed, so that this provider's actor alone can read them."""
    port = Port(taken)
    await intake(port).receive("plaid", HEADERS, BODY)
    (sealed,) = port.sealed

    assert WebhookDelivery(HEADERS, BODY, CLOCK.unix_s()) == open_webhook(CIPHER, "plaid", sealed)
    assert b"agreed-value" not in sealed
    assert b"MBR-secret" not in sealed
    with pytest.raises(StoreError):
        open_webhook(CIPHER, "mx", sealed)


async def test_body_of_any_bytes_arrives_as_it_came() -> None:
    """Hand on every byte, whatever it means."""
    port = Port(taken)
    body = bytes(range(256))
    await intake(port).receive("plaid", {}, body)

    assert body == open_webhook(CIPHER, "plaid", port.sealed[0]).body


async def test_unknown_provider_is_not_found() -> None:
    """Refuse a provider that nobody knows."""
    error = await refusal(taken, "unheard-of")

    assert (404, "UNKNOWN_PROVIDER") == (status_of(error), error.code)


async def test_provider_without_configuration_proves_nothing() -> None:
    """Refuse a known provider's webhook where it is not configured."""
    error = await refusal(taken, "mx")

    assert (401, "WEBHOOK_NOT_CONFIGURED", "mx") == (status_of(error), error.code, error.provider)


@pytest.mark.parametrize(
    ("reason", "status", "error_type"),
    [
        (WebhookRefusal.UNPROVEN, 401, ErrorType.UNAUTHORIZED),
        (WebhookRefusal.TOO_OLD, 401, ErrorType.UNAUTHORIZED),
        (WebhookRefusal.REPLAYED, 401, ErrorType.UNAUTHORIZED),
        (WebhookRefusal.NOT_CONFIGURED, 401, ErrorType.UNAUTHORIZED),
        (WebhookRefusal.MALFORMED, 422, ErrorType.VALIDATION),
        (WebhookRefusal.TOO_SOON, 429, ErrorType.RATE_LIMIT),
    ],
)
async def test_refusals_have_their_status(
    reason: WebhookRefusal, status: int, error_type: ErrorType
) -> None:
    """Tell each reason by its own code, with the wait where there is one."""
    error = await refusal(raising(WebhookRefused(reason, 12.5)))

    assert (status, error_type) == (status_of(error), error.type)
    assert f"WEBHOOK_{reason.name}" == error.code
    assert ("plaid", 12.5) == (error.provider, error.retry_after_s)


def test_every_refusal_is_covered() -> None:
    """Leave no reason without words."""
    covered = test_refusals_have_their_status.pytestmark[0].args[1]

    assert set(WebhookRefusal) == {row[0] for row in covered}


@pytest.mark.parametrize(
    "trouble", [ActorLost("plaid"), StoreError("vault"), ProviderFailure(LATE), TimeoutError()]
)
async def test_trouble_of_ours_asks_for_another_delivery(trouble: Exception) -> None:
    """Answer 503 with a wait to whatever the sender cannot help."""
    error = await refusal(raising(trouble))

    assert (503, "WEBHOOK_NOT_TAKEN", True) == (status_of(error), error.code, error.retryable)
    assert error.retry_after_s


async def test_answer_comes_before_vendors_give_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Answer 503 when an actor is silent for longer than vendors wait."""
    monkeypatch.setattr("actors.webhook_intake._ANSWER_WITHIN_S", 0.01)

    async def silent(_sealed: bytes) -> None:
        await asyncio.Event().wait()

    assert 503 == status_of(await refusal(silent))


async def test_few_are_looked_at_at_once() -> None:
    """Answer 429 to one too many at once, and take up again when others are done."""
    gate, full = asyncio.Event(), asyncio.Event()

    async def wait(_sealed: bytes) -> None:
        if len(port.sealed) == 64:
            full.set()
        await gate.wait()

    port = Port(wait)
    edge = intake(port)
    waiting = [asyncio.create_task(edge.receive("plaid", {}, b"{}")) for _ in range(64)]
    await full.wait()
    with pytest.raises(RequestRefused) as caught:
        await edge.receive("plaid", {}, b"{}")
    gate.set()
    await asyncio.gather(*waiting)
    await edge.receive("plaid", {}, b"{}")

    assert (429, "TOO_MANY_WEBHOOKS") == (status_of(caught.value.error), caught.value.error.code)
    assert 65 == len(port.sealed)


@pytest.mark.parametrize(
    "act",
    [
        taken,
        raising(WebhookRefused(WebhookRefusal.UNPROVEN)),
        raising(StoreError("MBR-secret")),
    ],
)
async def test_nothing_of_the_delivery_is_logged_or_told(act: Act) -> None:
    """Keep headers and body out of logs and refusals."""
    told = ""
    with structlog.testing.capture_logs() as logs:
        try:
            await intake(Port(act)).receive("plaid", HEADERS, BODY)
        except RequestRefused as refused:
            told = repr(refused)

    assert "agreed-value" not in told + repr(logs)
    assert "MBR-secret" not in told + repr(logs)
