"""Plaid's keys for webhooks: asked for once, ended when Plaid ends them, strangers bounded."""

import asyncio

import pytest
from scripted_vendor import PLAID, ScriptedVendor, answer

from orchestrator.domain import ProviderFailure
from orchestrator.providers.plaid_webhook_keys import PlaidWebhookKeys
from tests.support.webhook_builders import AT, PlaidKeyServer, SigningKey

OLD = SigningKey("kid-old")
NEW = SigningKey("kid-new")
DAY_S = 86_400.0


def keys_of(server: PlaidKeyServer) -> PlaidWebhookKeys:
    """Keys that are asked for at this server."""
    return PlaidWebhookKeys(ScriptedVendor(server).http(PLAID))


def jwk_answer(**over: object) -> object:
    """An answer with a key that is not as it should be."""
    return answer({"key": OLD.jwk(**over), "request_id": "r"})


async def test_key_is_asked_for_once() -> None:
    """Keep a key for a day, then ask whether it still lives."""
    server = PlaidKeyServer(OLD)
    keys = keys_of(server)
    found = [await keys.get("kid-old", at) for at in (AT, AT + 1, AT + DAY_S - 1, AT + DAY_S)]

    assert all(found)
    assert ["kid-old", "kid-old"] == server.asked


async def test_many_deliveries_at_once_ask_once() -> None:
    """Ask once for a key that many deliveries want in the same moment."""
    server = PlaidKeyServer(OLD)
    keys = keys_of(server)
    found = await asyncio.gather(*(keys.get("kid-old", AT) for _ in range(20)))

    assert all(found)
    assert ["kid-old"] == server.asked


async def test_expired_key_is_no_good() -> None:
    """Give no key that Plaid has ended."""
    keys = keys_of(PlaidKeyServer(SigningKey("kid-old", expired_at=1_600_000_000)))

    assert await keys.get("kid-old", AT) is None


async def test_rotation_ends_the_old_key() -> None:
    """Ask about the keys in hand again as soon as a new one has come up."""
    server = PlaidKeyServer(OLD)
    keys = keys_of(server)
    before = await keys.get("kid-old", AT)
    server.keys = {"kid-new": NEW, "kid-old": SigningKey("kid-old", expired_at=int(AT))}
    new = await keys.get("kid-new", AT + 10)
    after = await keys.get("kid-old", AT + 11)

    assert before is not None
    assert new is not None
    assert after is None
    assert ["kid-old", "kid-new", "kid-old"] == server.asked


async def test_rotation_leaves_keys_that_still_live() -> None:
    """Go on with an old key that Plaid still vouches for."""
    server = PlaidKeyServer(OLD, NEW)
    keys = keys_of(server)
    found = [await keys.get(key_id, AT) for key_id in ("kid-old", "kid-new", "kid-old", "kid-new")]

    assert all(found)
    assert ["kid-old", "kid-new", "kid-old"] == server.asked


async def test_stranger_is_asked_about_once_a_minute() -> None:
    """Remember for a minute that Plaid does not know an id, and then ask again."""
    server = PlaidKeyServer()
    keys = keys_of(server)
    found = [await keys.get("kid-new", at) for at in (AT, AT + 1, AT + 59)]
    server.keys = {"kid-new": NEW}
    found.append(await keys.get("kid-new", AT + 60))

    assert [None, None, None, True] == [key and True for key in found]
    assert ["kid-new", "kid-new"] == server.asked


async def test_strangers_are_bounded() -> None:
    """Ask about ten unknown ids a minute at most, whatever comes in, and take up again after it."""
    server = PlaidKeyServer(NEW)
    keys = keys_of(server)
    flood = [await keys.get(f"kid-{n}", AT + n / 100) for n in range(100)]
    flooded = await keys.get("kid-new", AT + 2)
    later = await keys.get("kid-new", AT + 61)

    assert [None] * 100 == flood
    assert flooded is None
    assert later is not None
    assert 11 == len(server.asked)


async def test_flood_takes_nothing_from_known_keys() -> None:
    """Keep a known key, and go on asking about it, under a flood of unknown ids."""
    server = PlaidKeyServer(OLD)
    keys = keys_of(server)
    await keys.get("kid-old", AT)
    for n in range(1000):
        await keys.get(f"kid-{n}", AT + DAY_S - 1 + n / 1000)
    found = await keys.get("kid-old", AT + DAY_S)

    assert found is not None
    assert ["kid-old", "kid-old"] == [asked for asked in server.asked if asked == "kid-old"]


async def test_memory_of_strangers_is_bounded() -> None:
    """Remember a few hundred unknown ids at most."""
    keys = keys_of(PlaidKeyServer())
    for n in range(1000):
        await keys.get(f"kid-{n}", AT + n * 60)

    assert 256 == len(keys._no_good)


@pytest.mark.parametrize(
    "wrong",
    [
        {"kty": "RSA"},
        {"crv": "P-384"},
        {"alg": "HS256"},
        {"x": "AAAA"},
        {"y": ""},
        {"x": "!"},
        {"x": 7},
    ],
)
async def test_key_of_another_kind_is_not_used(wrong: dict[str, object]) -> None:
    """Take the answer for unreadable where its key is none of ES256."""
    server = PlaidKeyServer(OLD)
    server.instead = jwk_answer(**wrong)  # type: ignore[assignment]
    with pytest.raises(ProviderFailure) as caught:
        await keys_of(server).get("kid-old", AT)

    assert "MALFORMED" == caught.value.failure.code
