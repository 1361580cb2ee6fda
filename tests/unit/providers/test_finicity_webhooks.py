"""Finicity's Connect events: their signature, and whose logins they name."""

import base64
import hashlib
import hmac

import pytest
from pydantic import SecretStr

from orchestrator.domain import ConfigurationError, WebhookRefusal
from orchestrator.providers.finicity_webhooks import FinicityWebhooks
from orchestrator.providers.registry import AdapterConfig
from orchestrator.providers.webhooks import News, WebhookDelivery
from tests.support.webhook_builders import body_of, delivery, refusal_of

SECRET = "our-partner-secret"
UNPROVEN = WebhookRefusal.UNPROVEN
ADDED: dict[str, object] = {
    "customerId": "1017101354",
    "eventType": "added",
    "eventId": "1611877956869-28ebb24c66699bf3c77f04b1",
    "payload": {
        "institutionId": "101732",
        "accounts": [
            {"id": "1045121390", "institutionLoginId": 1022599285},
            {"id": "1045121391", "institutionLoginId": 1022599285},
            {"id": "1045121392", "institutionLoginId": "1022599286"},
            {"id": "1045121393"},
            "1045121394",
        ],
    },
}
PING = {"eventType": "ping", "payload": {}}


def signature(body: bytes, secret: str = SECRET) -> bytes:
    """The signature of a body, raw."""
    return hmac.new(secret.encode(), body, hashlib.sha256).digest()


def signed(payload: object, *, secret: str = SECRET) -> WebhookDelivery:
    """A delivery with its signature in hex."""
    body = payload if isinstance(payload, bytes) else body_of(payload)
    return delivery(body, {"x-finicity-signature": signature(body, secret).hex()})


def reader(encoding: str = "hex") -> FinicityWebhooks:
    """A reader that knows our secret."""
    return FinicityWebhooks(SecretStr(SECRET), encoding)


async def test_genuine_event_is_taken() -> None:
    """Take an event with its signature, and tell each login that it names once."""
    notice = await reader().read(signed(ADDED))

    assert (News.FRESH_DATA, ("1017101354/1022599285", "1017101354/1022599286")) == (
        notice.news,
        notice.login_keys,
    )
    assert not notice.once


async def test_known_signature_is_matched() -> None:
    """Match a signature that was computed elsewhere, for a body and a secret on record."""
    body = b'{"eventType":"ping","payload":{}}'
    known = "edb442b1ef34f697b105af639ec21879e5e82d3e4edc2d2fd8df7accc9e0f793"
    for told in (known, known.upper(), f" {known} "):
        notice = await reader().read(delivery(body, {"x-finicity-signature": told}))

        assert News.NOTHING is notice.news


async def test_signature_may_be_in_base64() -> None:
    """Take signatures in the encoding that is set, and in no other."""
    body = body_of(ADDED)
    encoded = base64.b64encode(signature(body)).decode()
    in_base64 = delivery(body, {"x-finicity-signature": encoded})
    notice = await reader("base64").read(in_base64)

    assert News.FRESH_DATA is notice.news
    assert UNPROVEN is await refusal_of(reader("hex").read(in_base64))
    assert UNPROVEN is await refusal_of(reader("base64").read(signed(ADDED)))


@pytest.mark.parametrize("given", ["", "00", "é", "\udc80", "z" * 64, "0" * 64])
async def test_any_other_signature_is_refused(given: str) -> None:
    """Refuse a signature that is not the body's."""
    forged = delivery(ADDED, {"x-finicity-signature": given})

    assert UNPROVEN is await refusal_of(reader().read(forged))


async def test_event_without_signature_or_of_another_secret_is_refused() -> None:
    """Refuse an event that nobody signed, or somebody else."""
    assert UNPROVEN is await refusal_of(reader().read(delivery(ADDED)))
    assert UNPROVEN is await refusal_of(reader().read(signed(ADDED, secret="another")))


async def test_body_must_be_the_one_that_was_signed() -> None:
    """Refuse a body that differs by so much as a space from the one that was signed."""
    genuine = signed(ADDED)
    changed = WebhookDelivery(genuine.headers, genuine.body + b" ", genuine.received_at)

    assert UNPROVEN is await refusal_of(reader().read(changed))


async def test_repeated_event_has_its_own_id() -> None:
    """Know an event by its `eventId`, however its body is written, for as long as ids are kept."""
    first = await reader().read(signed(ADDED))
    again = await reader().read(signed({**ADDED, "webhookData": {}}))
    other = await reader().read(signed({**ADDED, "eventId": "1611877956870-a"}))

    assert first.event_ids == again.event_ids
    assert first.event_ids != other.event_ids
    assert 1 == len(first.event_ids)


async def test_event_without_an_id_is_known_by_its_body() -> None:
    """Know an event without `eventId` by its body."""
    nameless = {name: value for name, value in ADDED.items() if name != "eventId"}
    first = await reader().read(signed(nameless))
    other = await reader().read(signed({**nameless, "customerId": "2"}))

    assert first.event_ids
    assert set(first.event_ids).isdisjoint(other.event_ids)


@pytest.mark.parametrize(
    "payload",
    [
        PING,
        {},
        {**ADDED, "eventType": "started", "payload": {}},
        {**ADDED, "eventType": "invalidCredentials"},
        {**ADDED, "eventType": "accountsDeleted", "payload": {"accounts": ["1024371952"]}},
        {**ADDED, "eventType": ["added"]},
    ],
)
async def test_other_events_are_taken_and_mean_nothing(payload: object) -> None:
    """Take what is signed and of no concern, the ping above all: no link is made without it."""
    assert News.NOTHING is (await reader().read(signed(payload))).news


@pytest.mark.parametrize("payload", [None, 7, [], {"accounts": 7}, {"accounts": [{}, True, None]}])
async def test_event_that_names_no_login_is_about_none(payload: object) -> None:
    """Take an event that names no login for news about nobody."""
    notice = await reader().read(signed({**ADDED, "payload": payload}))

    assert () == notice.login_keys


async def test_login_may_be_named_by_the_event_itself() -> None:
    """Take the login of an event that names it beside its accounts."""
    told = {**ADDED, "eventType": "credentialsUpdated", "payload": {"institutionLoginId": 7}}

    assert ("1017101354/7",) == (await reader().read(signed(told))).login_keys


@pytest.mark.parametrize("body", [b"", b"garbage", b"[]", b"\xff", b"[" * 100_000])
async def test_signed_garbage_is_malformed(body: bytes) -> None:
    """Tell a signed body that cannot be read from a forged one."""
    assert WebhookRefusal.MALFORMED is await refusal_of(reader().read(signed(body)))
    assert UNPROVEN is await refusal_of(reader().read(delivery(body)))


async def test_news_of_no_customer_is_malformed() -> None:
    """Refuse news that names no customer."""
    nobody = {**ADDED, "customerId": None}

    assert WebhookRefusal.MALFORMED is await refusal_of(reader().read(signed(nobody)))


def test_readers_are_made_by_the_settings() -> None:
    """Take secret and encoding from the adapter's configuration; refuse another encoding."""
    keys = {"FINICITY_PARTNER_SECRET": SECRET}
    config = AdapterConfig("sandbox", "https://finicity.example", keys)
    made = FinicityWebhooks.of(config)

    assert ("hex", SECRET) == (made._encoding, made._secret.get_secret_value())
    with pytest.raises(ConfigurationError, match="signature_encoding"):
        FinicityWebhooks.of(
            AdapterConfig("sandbox", config.base_url, keys, {"signature_encoding": "rot13"})
        )
