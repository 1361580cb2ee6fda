"""Bitso's signature, nonces and lock-outs."""

import hmac
from datetime import timedelta
from random import Random

import httpx
import pytest
from bitso_payloads import CREDENTIAL, FORM, balances, error
from scripted_vendor import (
    NOW,
    ScriptedVendor,
    accounts_request,
    answer,
    failure_of,
    transactions_request,
    verdict,
)

from orchestrator.domain import Credential, ProviderFailure
from orchestrator.providers.bitso import ADAPTER, Bitso
from orchestrator.providers.bitso_lockout import Lockouts
from orchestrator.providers.bitso_signing import BitsoSignature, Nonces
from orchestrator.providers.http import VendorHttp, client_for
from tests.support.httpx_wire import HttpxWire

READ = accounts_request(CREDENTIAL)
WELL = answer(balances())
LOCKED = answer(error("0801"), 420)


def signed_parts(request: httpx.Request) -> tuple[str, str, str]:
    """Key, nonce and signature of a request."""
    scheme, _, said = request.headers["Authorization"].partition(" ")
    assert scheme == "Bitso"
    key, nonce, signature = said.split(":")
    return key, nonce, signature


def right_signature(nonce: str, target: str, body: bytes = b"", method: str = "GET") -> str:
    """The documented one, over exactly this."""
    signed = f"{nonce}{method}{target}".encode() + body
    return hmac.new(FORM["apiSecret"].encode(), signed, "sha256").hexdigest()


async def test_a_request_is_signed_as_it_is_sent() -> None:
    """Nonce, method, path and query go into the signature, byte by byte as on the wire."""
    vendor = ScriptedVendor(answer({"success": True, "payload": []}))

    await vendor.bitso(pending="false").sync_transactions(transactions_request(CREDENTIAL))

    (request,) = vendor.requests
    key, nonce, signature = signed_parts(request)
    target = "/api/v3/ledger?limit=100&sort=desc"
    assert str(request.url) == f"https://stage.bitso.com{target}"
    assert (key, signature) == ("users-key", right_signature(nonce, target))


@pytest.mark.parametrize(
    ("base_url", "prefix", "target", "sent"),
    [
        ("http://127.0.0.1:8200/bitso", "/api/v3", "/api/v3/balance", "/bitso/api/v3/balance"),
        ("https://api.bitso.com", "/v3", "/v3/balance", "/v3/balance"),
        ("https://bitso.com/", "api/v3/", "/api/v3/balance", "/api/v3/balance"),
    ],
)
async def test_what_stands_for_the_host_is_not_signed(
    base_url: str, prefix: str, target: str, sent: str
) -> None:
    """The base URL's path belongs to the address; the version's path is Bitso's own."""
    seen: list[httpx.Request] = []

    def handle(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json=balances())

    async with client_for(base_url, wire=HttpxWire(httpx.MockTransport(handle))) as client:
        options = {"path_prefix": prefix}
        bitso = Bitso(VendorHttp(client), options, now=lambda: NOW, rng=Random(1))
        await bitso.get_accounts(READ)

    _key, nonce, signature = signed_parts(seen[0])
    assert seen[0].url.raw_path.decode() == sent
    assert signature == right_signature(nonce, target)


def test_a_body_and_odd_characters_are_signed_as_they_are_sent() -> None:
    """Escapes stay as the client wrote them, and the body's bytes come last."""
    auth = BitsoSignature(Credential(FORM), host_path="/bitso/", nonce=lambda: "1")
    request = httpx.Request(
        "POST", "http://127.0.0.1/bitso/api/v3/x", params={"marker": "ñ/+ ~"}, json={"a": 1}
    )

    next(auth.auth_flow(request))

    target = request.url.raw_path.decode().removeprefix("/bitso")
    assert "%C3%B1%2F%2B" in target
    assert signed_parts(request)[2] == right_signature("1", target, request.content, "POST")


def test_nonces_are_never_alike_and_carry_the_time() -> None:
    """Thirteen digits of milliseconds and six more, new each time within one millisecond."""
    nonces = Nonces(Random(3))
    made = [nonces.next(NOW) for _ in range(20_000)]

    assert len(set(made)) == len(made)
    assert {len(nonce) for nonce in made} == {19}
    assert {nonce[:13] for nonce in made} == {str(int(NOW.timestamp() * 1000))}


@pytest.mark.parametrize("code", ["0201", "0206", "0207", 104, "104", 201])
async def test_a_refused_nonce_is_sent_once_more_with_another(code: object) -> None:
    """What parallel calls cost is no fault of the user's; the second nonce is a fresh one."""
    vendor = ScriptedVendor(answer(error(code), 401), WELL)

    await vendor.bitso().get_accounts(READ)

    nonces = [signed_parts(request)[1] for request in vendor.requests]
    assert len(set(nonces)) == 2


async def test_a_nonce_refused_twice_is_the_keys_fault() -> None:
    """There is one more try and not two, and then the user has to act."""
    vendor = ScriptedVendor(answer(error("0201"), 401))

    failure = await failure_of(vendor.bitso().get_accounts(READ))

    assert verdict(failure) == ("auth", "connection", "0201")
    assert "createLink" in str(failure.user_action)
    assert len(vendor.requests) == 2


@pytest.mark.parametrize("code", ["0205", "0215", "0202", "0213"])
async def test_other_refusals_are_not_sent_again(code: str) -> None:
    """Least of all after too many attempts."""
    vendor = ScriptedVendor(answer(error(code), 401))

    await failure_of(vendor.bitso().get_accounts(READ))

    assert len(vendor.requests) == 1


@pytest.mark.parametrize(
    ("body", "status", "expected"),
    [
        (error("0326"), 200, ("auth", "connection", "0326")),
        (error(326), 200, ("auth", "connection", "0326")),
        (error("0399"), 400, ("validation", "request", "0399")),
        (error("0299"), 200, ("auth", "connection", "0299")),
        (error(1799), 400, ("validation", "request", "1799")),
        (error("9999"), 503, ("provider_down", "provider", "9999")),
        (error("what"), 401, ("auth", "connection", "HTTP_401")),
        (error(None), 200, ("provider_down", "provider", "MALFORMED")),
        ({"success": "true", "payload": {}}, 200, ("provider_down", "provider", "MALFORMED")),
        ({}, 200, ("provider_down", "provider", "MALFORMED")),
        (["x"], 502, ("provider_down", "provider", "HTTP_502")),
        ({"error": "0801"}, 420, ("rate_limit", "connection", "HTTP_420")),
    ],
)
async def test_the_code_says_what_happened_and_not_the_status(
    body: object, status: int, expected: tuple[str, str, str]
) -> None:
    """Errors come with any status, codes as texts and numbers; a code too new is its family's."""
    vendor = ScriptedVendor(answer(body, status))

    assert verdict(await failure_of(vendor.bitso().get_accounts(READ))) == expected


async def test_a_lock_out_is_waited_out_twice_as_long_each_time() -> None:
    """A minute and a bit, then two, then four, and a minute again after an answered call."""
    vendor = ScriptedVendor(LOCKED, LOCKED, LOCKED, WELL, LOCKED)
    bitso = vendor.bitso()
    pauses: list[float] = []

    for _ in range(4):
        if len(pauses) == 3:
            await bitso.get_accounts(READ)
        failure = await failure_of(bitso.get_accounts(READ))
        pauses.append(failure.retry_after_s or 0.0)
        vendor.now += timedelta(seconds=pauses[-1])

    assert [int(pause // 60) for pause in pauses] == [1, 2, 4, 1]
    assert all(pause % 60 <= 0.1 * pause for pause in pauses)


async def test_nothing_leaves_while_a_key_is_locked_out() -> None:
    """Not even for another connection with the same key; other keys go on."""
    vendor = ScriptedVendor(LOCKED, WELL)
    bitso = vendor.bitso(lockout_s="30")
    await failure_of(bitso.get_accounts(READ))
    vendor.now += timedelta(seconds=20)

    failure = await failure_of(bitso.get_accounts(READ))
    other = Credential({**CREDENTIAL.reveal(), "apiKey": "another"})
    await bitso.get_accounts(accounts_request(other))

    assert verdict(failure) == ("rate_limit", "connection", "LOCKED_OUT")
    assert 10 <= (failure.retry_after_s or 0.0) <= 13
    assert not failure.sent
    assert len(vendor.requests) == 2


async def test_a_pause_that_bitso_names_is_kept() -> None:
    """Its own figure counts, should it ever send one."""
    vendor = ScriptedVendor(answer(error("0802"), 420, {"Retry-After": "7"}))

    failure = await failure_of(vendor.bitso().get_accounts(READ))

    assert failure.retry_after_s == 7.0


@pytest.mark.parametrize(
    ("option", "code"), [("throttle_scope", "0801"), ("address_scope", "0213")]
)
async def test_whose_trouble_it_is_can_be_set(option: str, code: str) -> None:
    """Bitso's documents leave it open whether the user is meant or our address."""
    vendor = ScriptedVendor(answer(error(code), 401))

    failure = await failure_of(vendor.bitso(**{option: "client"}).get_accounts(READ))

    assert failure.scope == "client"


def test_calls_that_were_under_way_together_are_one_lock_out() -> None:
    """Ten refusals of one burst do not make the wait a thousandfold."""
    lockouts = Lockouts(60.0)

    pauses = [lockouts.locked("key", 1.0 + number / 10) for number in range(10)]

    assert pauses[0] == 60.0
    assert all(pause <= 60.0 for pause in pauses)
    assert lockouts.left_s("key", 1.0) == 60.0


def test_the_longest_lock_out_is_a_day() -> None:
    """However often it is locked out."""
    lockouts, now = Lockouts(60.0), 0.0
    for _ in range(40):
        pause_s = lockouts.locked("key", now)
        now += pause_s

    assert pause_s == 86_400.0


def test_lock_outs_are_kept_within_bounds() -> None:
    """Ten thousand keys, the latest of them."""
    lockouts = Lockouts(60.0)
    for number in range(10_050):
        lockouts.locked(str(number), 0.0)

    assert lockouts.left_s("0", 1.0) == 0.0
    assert lockouts.left_s("10049", 1.0) == 59.0


@pytest.mark.parametrize(
    "options",
    [
        {"permission_check": "maybe"},
        {"missing_eid": "x"},
        {"pending": "yes"},
        {"lockout_s": "0"},
        {"throttle_scope": "ip"},
        {"nonce": "v1"},
        {"path_prefix": "/api?x"},
        {"path_prefix": "/ápi"},
    ],
)
def test_a_wrong_option_is_refused_at_the_start(options: dict[str, str]) -> None:
    """A setting that cannot be meant stops the start and names itself."""
    with pytest.raises(Exception, match=r"providers\.bitso\.options") as caught:
        ScriptedVendor(WELL).bitso(**options)

    assert not isinstance(caught.value, ProviderFailure)


def test_no_secret_shows_in_what_signs() -> None:
    """Neither the signer nor the adapter tells a key when it is printed."""
    auth = BitsoSignature(CREDENTIAL, host_path="", nonce=lambda: "1")

    shown = f"{auth!r} {vars(auth)!r} {ADAPTER!r}"

    assert not any(secret in shown for secret in FORM.values())
