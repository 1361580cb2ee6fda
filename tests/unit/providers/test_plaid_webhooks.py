"""Plaid's webhooks: what proves them, what is refused, and what they tell."""

import base64
import hashlib
import hmac
import json

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from scripted_vendor import PLAID, ScriptedVendor, answer

from orchestrator.domain import ProviderFailure, WebhookRefusal
from orchestrator.providers.plaid_webhooks import PlaidWebhooks
from orchestrator.providers.webhooks import News, WebhookDelivery
from tests.support.webhook_builders import (
    AT,
    PlaidKeyServer,
    SigningKey,
    body_of,
    delivery,
    plaid_delivery,
    refusal_of,
)

UNPROVEN = WebhookRefusal.UNPROVEN
KEY = SigningKey()
SYNC = {
    "webhook_type": "TRANSACTIONS",
    "webhook_code": "SYNC_UPDATES_AVAILABLE",
    "item_id": "item-1",
    "initial_update_complete": True,
    "historical_update_complete": False,
    "environment": "sandbox",
}


def reader(server: PlaidKeyServer | None = None) -> PlaidWebhooks:
    """A reader that asks this server for keys."""
    return PlaidWebhooks(ScriptedVendor(server or PlaidKeyServer(KEY)).http(PLAID))


def item(code: str, **over: object) -> dict[str, object]:
    """A webhook about an Item."""
    return {"webhook_type": "ITEM", "webhook_code": code, "item_id": "item-1", **over}


def failing(code: str, error_type: str = "ITEM_ERROR") -> dict[str, object]:
    """A webhook about an Item's error."""
    error = {"error_type": error_type, "error_code": code, "error_message": "all is well"}
    return item("ERROR", error=error)


def with_token(token: str, body: bytes = b"{}") -> WebhookDelivery:
    """A delivery with this proof."""
    return delivery(body, {"plaid-verification": token})


def spelled(part: object) -> str:
    """One part of a token."""
    return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()


async def test_genuine_webhook_is_taken() -> None:
    """Take a webhook that Plaid signed, and tell whose news it is and when it was signed."""
    notice = await reader().read(plaid_delivery(KEY, SYNC))

    assert (News.FRESH_DATA, ("item-1",)) == (notice.news, notice.login_keys)
    assert (AT, True, False) == (notice.as_of, notice.once, notice.everyone)
    assert 1 == len(notice.event_ids)


@pytest.mark.parametrize(
    ("payload", "news"),
    [
        (SYNC, News.FRESH_DATA),
        (item("NEW_ACCOUNTS_AVAILABLE"), News.FRESH_DATA),
        (item("LOGIN_REPAIRED"), News.RECOVERED),
        (item("PENDING_DISCONNECT", reason="INSTITUTION_MIGRATION"), News.NEEDS_USER),
        (item("PENDING_EXPIRATION"), News.NEEDS_USER),
        (item("USER_ACCOUNT_REVOKED", account_id="a"), News.NEEDS_USER),
        (item("USER_PERMISSION_REVOKED"), News.GONE),
        (failing("ITEM_LOGIN_REQUIRED"), News.NEEDS_USER),
        (failing("SOMETHING_NEW"), News.NEEDS_USER),
        (failing("ITEM_NOT_FOUND"), News.GONE),
        (failing("INSTITUTION_DOWN", "INSTITUTION_ERROR"), News.NOTHING),
        (failing("INVALID_API_KEYS", "INVALID_INPUT"), News.NOTHING),
        (item("ERROR", error=None), News.NOTHING),
        (item("WEBHOOK_UPDATE_ACKNOWLEDGED"), News.NOTHING),
        ({**SYNC, "webhook_code": "DEFAULT_UPDATE"}, News.NOTHING),
        ({**SYNC, "webhook_type": "HOLDINGS"}, News.NOTHING),
        ({"webhook_type": ["ITEM"], "webhook_code": 7}, News.NOTHING),
        ({}, News.NOTHING),
    ],
)
async def test_codes_are_told_in_our_words(payload: dict[str, object], news: News) -> None:
    """Tell each code's news; an Item's error by the error table; a code of no concern as nothing."""
    notice = await reader().read(plaid_delivery(KEY, payload))

    assert news is notice.news
    assert (() if news is News.NOTHING else ("item-1",)) == notice.login_keys


async def test_body_must_be_the_one_that_was_signed() -> None:
    """Refuse a body that differs by so much as its indentation."""
    signed = plaid_delivery(KEY, SYNC)
    other = WebhookDelivery(signed.headers, json.dumps(SYNC).encode(), AT)

    assert UNPROVEN is await refusal_of(reader().read(other))


@pytest.mark.parametrize("hashed", [None, "", 7, "ü", "0" * 64, ["x"]])
async def test_hash_must_be_the_bodys(hashed: object) -> None:
    """Refuse a signed token without the body's hash, or with another."""
    token = KEY.token(b"{}", claims={"request_body_sha256": hashed})

    assert UNPROVEN is await refusal_of(reader().read(with_token(token)))


async def test_forged_signature_is_refused() -> None:
    """Refuse a token that another key signed under a key id of Plaid's."""
    forger = SigningKey(KEY.key_id)

    assert UNPROVEN is await refusal_of(reader().read(plaid_delivery(forger, SYNC)))


async def test_token_without_signature_is_refused_unasked() -> None:
    """Refuse `alg: none`, in whatever spelling, before Plaid is asked for a key."""
    server = PlaidKeyServer(KEY)
    claims = {"iat": int(AT), "request_body_sha256": hashlib.sha256(b"{}").hexdigest()}
    for alg in ("none", "None", "NONE", "", None, 7, ["ES256"]):
        token = f"{spelled({'alg': alg, 'kid': KEY.key_id})}.{spelled(claims)}."

        assert UNPROVEN is await refusal_of(reader(server).read(with_token(token)))
    assert [] == server.asked


async def test_public_key_cannot_be_used_as_a_secret() -> None:
    """Refuse a token signed with the public key's own bytes as an HMAC secret."""
    server = PlaidKeyServer(KEY)
    body = body_of(SYNC)
    claims = {"iat": int(AT), "request_body_sha256": hashlib.sha256(body).hexdigest()}
    pem = KEY.private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    signed = f"{spelled({'alg': 'HS256', 'kid': KEY.key_id})}.{spelled(claims)}"
    mac = hmac.new(pem, signed.encode(), hashlib.sha256).digest()
    token = f"{signed}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"

    assert UNPROVEN is await refusal_of(reader(server).read(with_token(token, body)))
    assert [] == server.asked


async def test_other_curve_is_refused() -> None:
    """Refuse a token of another elliptic curve under its own algorithm."""
    claims = {"iat": int(AT), "request_body_sha256": hashlib.sha256(b"{}").hexdigest()}
    other = ec.generate_private_key(ec.SECP384R1())
    token = jwt.encode(claims, other, "ES384", headers={"kid": KEY.key_id})

    assert UNPROVEN is await refusal_of(reader().read(with_token(token)))


@pytest.mark.parametrize(
    "token",
    ["", ".", "..", "a.b", "not a token", "é", "e30.e30.e30", "\ud800", "x" * 8193, "." * 8000],
)
async def test_garbage_for_a_proof_is_refused(token: str) -> None:
    """Refuse whatever is no token, however long."""
    assert UNPROVEN is await refusal_of(reader().read(with_token(token)))


async def test_delivery_without_proof_is_refused() -> None:
    """Refuse a delivery that names no proof at all."""
    assert UNPROVEN is await refusal_of(reader().read(delivery(SYNC)))


@pytest.mark.parametrize(
    "key_id", [None, 7, "", "x" * 129, "a/b", "kid 1", "../item/remove", {"kid": "kid-1"}]
)
async def test_key_id_of_no_use_is_not_asked_about(key_id: object) -> None:
    """Ask Plaid about key ids only that can be one."""
    server = PlaidKeyServer(KEY)
    claims = {"iat": int(AT), "request_body_sha256": hashlib.sha256(b"{}").hexdigest()}
    token = f"{spelled({'alg': 'ES256', 'kid': key_id})}.{spelled(claims)}.c2ln"

    assert UNPROVEN is await refusal_of(reader(server).read(with_token(token)))
    assert [] == server.asked


@pytest.mark.parametrize(
    ("signed_at", "refusal"),
    [
        (AT - 301, WebhookRefusal.TOO_OLD),
        (AT - 86_400, WebhookRefusal.TOO_OLD),
        (AT + 62, UNPROVEN),
        (1e300, UNPROVEN),
        (-5, UNPROVEN),
        (None, UNPROVEN),
        ("1773847800", UNPROVEN),
        (True, UNPROVEN),
        (float("nan"), UNPROVEN),
    ],
)
async def test_old_and_future_tokens_are_refused(
    signed_at: object, refusal: WebhookRefusal
) -> None:
    """Refuse a token of more than five minutes ago, of the future, or of no time."""
    body = body_of(SYNC)
    token = KEY.token(body, claims={"iat": signed_at})

    assert refusal is await refusal_of(reader().read(with_token(token, body)))


@pytest.mark.parametrize("age_s", [300, 0, -60])
async def test_clocks_may_differ_a_little(age_s: int) -> None:
    """Take a token of the last five minutes, and of up to a minute ahead of our clock."""
    notice = await reader().read(plaid_delivery(KEY, SYNC, signed_at=AT - age_s))

    assert AT - age_s == notice.as_of


async def test_machines_clock_does_not_matter() -> None:
    """Judge a token's age by when its delivery was received, long ago or ahead as that may be."""
    for at in (1_000_000_000.0, 4_000_000_000.0):
        notice = await reader().read(plaid_delivery(KEY, SYNC, at=at, signed_at=at))

        assert at == notice.as_of


async def test_replay_is_known_by_what_was_signed() -> None:
    """Give a token's second valid signature the same event id, and another token its own."""
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    body = body_of(SYNC)
    token = KEY.token(body)
    signed, _, signature = token.rpartition(".")
    raw = base64.urlsafe_b64decode(signature + "==")
    mirrored = raw[:32] + (order - int.from_bytes(raw[32:])).to_bytes(32)
    twin = f"{signed}.{base64.urlsafe_b64encode(mirrored).rstrip(b'=').decode()}"
    read = reader()
    first = await read.read(with_token(token, body))
    second = await read.read(with_token(twin, body))
    later = await read.read(plaid_delivery(KEY, SYNC, signed_at=AT - 1))

    assert token != twin
    assert first.event_ids == second.event_ids
    assert first.event_ids != later.event_ids


@pytest.mark.parametrize("body", [b"", b"garbage", b"[]", b"\xff", b"NaN", b"[" * 100_000])
async def test_signed_body_that_cannot_be_read_is_malformed(body: bytes) -> None:
    """Tell a proven body that is no JSON object from a forged one."""
    refusal = await refusal_of(reader().read(plaid_delivery(KEY, body)))

    assert WebhookRefusal.MALFORMED is refusal


async def test_news_of_nobody_is_malformed() -> None:
    """Refuse news that does not say whose it is."""
    nobody = {name: value for name, value in SYNC.items() if name != "item_id"}

    assert WebhookRefusal.MALFORMED is await refusal_of(reader().read(plaid_delivery(KEY, nobody)))


@pytest.mark.parametrize(
    "trouble",
    [
        httpx.ConnectError("down"),
        answer({"error_type": "API_ERROR", "error_code": "INTERNAL_SERVER_ERROR"}, 500),
        answer({"error_type": "INVALID_INPUT", "error_code": "INVALID_API_KEYS"}, 400),
        answer({"key": {}}),
        answer(["no key"]),
    ],
)
async def test_plaid_that_cannot_be_asked_is_no_refusal(trouble: httpx.Response) -> None:
    """Blame trouble with the key on nobody who sent something: it can be delivered again."""
    server = PlaidKeyServer(KEY)
    server.instead = trouble
    read = reader(server)
    with pytest.raises(ProviderFailure):
        await read.read(plaid_delivery(KEY, SYNC))
    server.instead = None

    assert News.FRESH_DATA is (await read.read(plaid_delivery(KEY, SYNC))).news
