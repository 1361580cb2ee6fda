"""Bitso's webhooks: hints that name nobody and prove nothing."""

import pytest

from orchestrator.domain import WebhookRefusal
from orchestrator.providers.bitso_webhooks import BitsoWebhooks
from orchestrator.providers.webhooks import News
from tests.support.webhook_builders import delivery, refusal_of


@pytest.mark.parametrize(
    "payload",
    [
        {"event": "funding", "payload": {"fid": "a17c4c00e17c592fc7b6d9bad2261be8"}},
        {"event": "withdrawal", "payload": {"wid": "91a72aed1b289f9314275c06c40ec317"}},
        {"event": "something_new"},
    ],
)
async def test_any_event_is_a_hint_to_read_again(payload: object) -> None:
    """Ask for a re-read of every connection, and for nothing that could change one."""
    notice = await BitsoWebhooks().read(delivery(payload))

    assert (News.FRESH_DATA, True, ()) == (notice.news, notice.everyone, notice.login_keys)


@pytest.mark.parametrize("body", [b"", b"garbage", b"[]", b"\xff", b"[" * 100_000])
async def test_garbage_is_no_hint(body: bytes) -> None:
    """Refuse a body that is no JSON object."""
    assert WebhookRefusal.MALFORMED is await refusal_of(BitsoWebhooks().read(delivery(body)))
