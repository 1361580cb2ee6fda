"""Webhooks of vendors that sign nothing (MX, Belvo): the agreed Authorization value, and no other."""

import pytest
from pydantic import SecretStr
from scripted_vendor import BELVO, MX, ScriptedVendor

from orchestrator.domain import WebhookRefusal
from orchestrator.providers.belvo_webhooks import BelvoWebhooks
from orchestrator.providers.mx_webhooks import MxWebhooks
from orchestrator.providers.registry import AdapterConfig
from orchestrator.providers.webhooks import News, WebhookReader
from tests.support.webhook_builders import AT, delivery, refusal_of

AGREED = "Basic dXNlcjpzw6ljcmV0"
MX_NEWS = {
    "type": "AGGREGATION",
    "action": "member_data_updated",
    "member_guid": "MBR-1",
    "completed_at": 1_773_847_000,
}
BELVO_NEWS = {
    "webhook_type": "TRANSACTIONS",
    "webhook_code": "historical_update",
    "link_id": "16f68516-bcbc-4cf7-b815-c500d4204e28",
}
UNSIGNED = pytest.mark.parametrize(
    ("kind", "news"), [(MxWebhooks, MX_NEWS), (BelvoWebhooks, BELVO_NEWS)], ids=["mx", "belvo"]
)
Kind = type[MxWebhooks] | type[BelvoWebhooks]


def reader(kind: Kind, agreed: str | None = AGREED) -> WebhookReader:
    """A reader with this value agreed."""
    return kind(None if agreed is None else SecretStr(agreed))


@UNSIGNED
async def test_agreed_value_is_taken(kind: Kind, news: dict[str, object]) -> None:
    """Take a delivery with the agreed value."""
    notice = await reader(kind).read(delivery(news, {"authorization": AGREED}))

    assert (News.FRESH_DATA, False) == (notice.news, notice.once)


@UNSIGNED
@pytest.mark.parametrize(
    "given",
    [
        "",
        "Basic",
        "Basic ",
        AGREED[:-1],
        AGREED + "A",
        AGREED.lower(),
        AGREED.removeprefix("Basic "),
        f"{AGREED}, {AGREED}",
        "Bearer dXNlcjpzw6ljcmV0",
        "\udc80",
        "é" * 10_000,
    ],
)
async def test_any_other_value_is_refused(kind: Kind, news: dict[str, object], given: str) -> None:
    """Refuse any other value, whatever it has in common with the agreed one."""
    reading = reader(kind).read(delivery(news, {"authorization": given}))

    assert WebhookRefusal.UNPROVEN is await refusal_of(reading)


@UNSIGNED
async def test_delivery_without_a_value_is_refused(kind: Kind, news: dict[str, object]) -> None:
    """Refuse a delivery that brings no Authorization."""
    assert WebhookRefusal.UNPROVEN is await refusal_of(reader(kind).read(delivery(news)))


@UNSIGNED
async def test_nothing_is_proven_while_nothing_is_agreed(
    kind: Kind, news: dict[str, object]
) -> None:
    """Refuse everything, an empty value too, while no value is agreed."""
    for given in ("", AGREED):
        reading = reader(kind, None).read(delivery(news, {"authorization": given}))

        assert WebhookRefusal.NOT_CONFIGURED is await refusal_of(reading)


@UNSIGNED
async def test_agreed_value_may_hold_any_letter(kind: Kind, news: dict[str, object]) -> None:
    """Take a value beyond ASCII by its bytes, which HTTP hands on as Latin-1."""
    told = "Bearer señal".encode().decode("latin-1")
    notice = await reader(kind, "Bearer señal").read(delivery(news, {"authorization": told}))

    assert News.FRESH_DATA is notice.news


@UNSIGNED
@pytest.mark.parametrize("body", [b"", b"garbage", b"[]", b"7", b"\xff", b"[" * 100_000])
async def test_garbage_is_looked_at_after_its_proof(
    kind: Kind, news: dict[str, object], body: bytes
) -> None:
    """Call a body that is no JSON object malformed where it is proven, and unproven else."""
    proven = reader(kind).read(delivery(body, {"authorization": AGREED}))
    forged = reader(kind).read(delivery(body, {"authorization": "Basic"}))

    assert WebhookRefusal.MALFORMED is await refusal_of(proven)
    assert WebhookRefusal.UNPROVEN is await refusal_of(forged)


@UNSIGNED
async def test_news_of_nobody_is_malformed(kind: Kind, news: dict[str, object]) -> None:
    """Refuse news that does not say whose it is."""
    for nobody in (None, 7, "", {}):
        told = {**news, "member_guid": nobody, "link_id": nobody}
        reading = reader(kind).read(delivery(told, {"authorization": AGREED}))

        assert WebhookRefusal.MALFORMED is await refusal_of(reading)


@UNSIGNED
async def test_repeated_body_is_the_same_event_for_a_day(
    kind: Kind, news: dict[str, object]
) -> None:
    """Know a body again while the vendor may repeat it, and take it for a new event days later."""

    async def ids(at: float) -> tuple[str, ...]:
        read = reader(kind).read(delivery(news, {"authorization": AGREED}, at=at))
        return (await read).event_ids

    own = (await ids(AT))[0]

    assert own in await ids(AT + 86_399)
    assert own in await ids(AT + 1)
    assert own not in await ids(AT + 2 * 86_400)
    assert all(len(one) <= 256 for one in await ids(AT))


@pytest.mark.parametrize(("adapter", "kind"), [(MX, MxWebhooks), (BELVO, BelvoWebhooks)])
def test_adapters_make_their_readers_by_the_settings(adapter: object, kind: Kind) -> None:
    """Take the agreed value from the adapter's configuration."""
    vendor = ScriptedVendor()
    plain = vendor.config(adapter)  # type: ignore[arg-type]
    config = AdapterConfig(
        plain.environment, plain.base_url, plain.keys, webhook_auth=SecretStr(AGREED)
    )
    made = adapter.webhooks(vendor.http(adapter), config)  # type: ignore[attr-defined]

    assert isinstance(made, kind)
    assert SecretStr(AGREED) == made._authorization
    assert AGREED not in repr(config)
