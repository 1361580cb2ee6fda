"""What no vendor documents and every vendor does: other bodies, other hosts, cuts and silence."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from decimal import Decimal

import httpx
import pytest
from belvo_payloads import CREDENTIAL as BELVO_CREDENTIAL
from bitso_payloads import CREDENTIAL as BITSO_CREDENTIAL
from finicity_payloads import CREDENTIAL as FINICITY_CREDENTIAL
from mx_payloads import CREDENTIAL as MX_CREDENTIAL
from mx_payloads import MEMBER_GUID, account, member, page
from plaid_payloads import CREDENTIAL as PLAID_CREDENTIAL
from plaid_payloads import TOKEN
from scripted_vendor import (
    KEYS,
    ScriptedVendor,
    accounts_request,
    answer,
    exchange_request,
    failure_of,
    link_request,
    transactions_request,
    verdict,
)

from orchestrator.domain import Credential, Failure
from orchestrator.providers.attempt_trace import AttemptTrace, current_attempt
from orchestrator.providers.http import MAX_ANSWER_BYTES, VendorHttp, client_for, retry_after_s
from orchestrator.providers.protocol import FinancialProvider
from orchestrator.providers.registry import REGISTRY, AdapterConfig, adapter_of
from orchestrator.resilience import ToldAllowance
from tests.support.httpx_wire import HttpxWire

CREDENTIALS = {
    "plaid": PLAID_CREDENTIAL,
    "mx": MX_CREDENTIAL,
    "finicity": FINICITY_CREDENTIAL,
    "belvo": BELVO_CREDENTIAL,
    "bitso": BITSO_CREDENTIAL,
}
KEYS_ARE_USERS = {"bitso"}
"""Providers that know no keys of ours, so that what is refused or throttled is one user's."""
PROVIDERS = sorted(CREDENTIALS)

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def test_what_is_left_of_a_limit_is_told_to_the_attempt() -> None:
    """Whatever the answer's status; nothing is told where nothing is said, or nobody listens."""
    left = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "30"}
    client = client_for(
        "https://vendor.example",
        wire=HttpxWire(
            httpx.MockTransport(
                lambda request: httpx.Response(
                    429, headers=left if request.url.path == "/a" else {}
                )
            )
        ),
    )
    http, heard = VendorHttp(client), []
    trace = AttemptTrace("att_1", tell_allowance=lambda *told: heard.append(told))
    await http.call("GET", "a", endpoint="/a")
    token = current_attempt.set(trace)
    try:
        await http.call("GET", "a", endpoint="/a")
        await http.call("GET", "b", endpoint="/b")
    finally:
        current_attempt.reset(token)
        await client.aclose()

    assert [("/a", ToldAllowance(0, 30.0))] == heard


async def reading(provider: str, vendor: ScriptedVendor) -> Failure:
    """The failure with which a reading of accounts ends."""
    adapter: FinancialProvider = getattr(vendor, provider)()
    return await failure_of(adapter.get_accounts(accounts_request(CREDENTIALS[provider])))


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize(
    "content",
    [
        b"<html><body>welcome</body></html>",
        b"",
        b"\xff\xfe{}",
        b"[1, 2",
        b"NaN",
        b'{"accounts": Infinity}',
        b'{"accounts": 1e99999999999999999999}',
        b"[" * 200_000,
        b"9" * 5000,
        b'"text"',
        b"null",
    ],
    ids=[
        "html",
        "empty",
        "not-utf8",
        "cut-off",
        "nan",
        "infinity",
        "huge-exponent",
        "too-deep",
        "too-long-a-number",
        "text",
        "null",
    ],
)
async def test_a_200_that_is_no_object_is_malformed(provider: str, content: bytes) -> None:
    """Whatever a body holds, the only failure it causes is MALFORMED."""
    failure = await reading(provider, ScriptedVendor(httpx.Response(200, content=content)))

    assert verdict(failure) == ("provider_down", "provider", "MALFORMED")
    assert failure.elsewhere


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_a_200_that_is_too_large_is_malformed(provider: str) -> None:
    """An answer is read up to a bound, declared or not."""
    huge = httpx.Response(200, content=b" " * (MAX_ANSWER_BYTES + 1))

    failure = await reading(provider, ScriptedVendor(huge))

    assert verdict(failure) == ("provider_down", "provider", "MALFORMED")


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (500, ("provider_down", "provider", "HTTP_500")),
        (503, ("provider_down", "provider", "HTTP_503")),
        (400, ("validation", "request", "HTTP_400")),
        (401, ("auth", "client", "HTTP_401")),
        (429, ("rate_limit", "client", "HTTP_429")),
    ],
)
async def test_an_error_with_an_unreadable_body_goes_by_its_status(
    provider: str, status: int, expected: tuple[str, str, str]
) -> None:
    """A gateway's page of HTML still has a status."""
    failure = await reading(provider, ScriptedVendor(httpx.Response(status, text="<html>Oops")))

    error_class, scope, code = expected
    if scope == "client" and provider in KEYS_ARE_USERS:
        scope = "connection"
    assert verdict(failure) == (error_class, scope, code)


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize(
    ("target", "code"),
    [
        ("https://evil.test/login", "FOREIGN_REDIRECT"),
        ("//evil.test/login", "FOREIGN_REDIRECT"),
        ("https://[", "FOREIGN_REDIRECT"),
        ("/login", "MALFORMED"),
        ("", "MALFORMED"),
    ],
)
async def test_a_redirect_is_never_followed(provider: str, target: str, code: str) -> None:
    """Our credentials do not travel where a vendor's answer points."""
    vendor = ScriptedVendor(httpx.Response(302, headers={"Location": target}))

    failure = await reading(provider, vendor)

    assert verdict(failure) == ("provider_down", "provider", code)
    assert len(vendor.requests) == 1


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize(
    ("trouble", "code", "sent"),
    [
        (httpx.ReadTimeout("x"), "TIMEOUT", True),
        (httpx.ReadError("x"), "CONNECTION_LOST", True),
        (httpx.RemoteProtocolError("x"), "CONNECTION_LOST", True),
        (httpx.ConnectError("x"), "CONNECT_FAILED", False),
        (httpx.ConnectTimeout("x"), "CONNECT_FAILED", False),
    ],
)
async def test_no_answer_is_a_network_failure(
    provider: str, trouble: Exception, code: str, *, sent: bool
) -> None:
    """What may have left is told apart from what cannot have."""
    failure = await reading(provider, ScriptedVendor(trouble))

    assert verdict(failure) == ("network", "provider", code)
    assert failure.sent is sent


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize(("header", "pause_s"), [("7", 7.0), ("soon", None), ("²", None)])
async def test_a_limits_pause_is_kept(provider: str, header: str, pause_s: float | None) -> None:
    """`Retry-After` comes through where it can be read."""
    limited = httpx.Response(429, headers=[(b"Retry-After", header.encode("latin-1", "ignore"))])

    failure = await reading(provider, ScriptedVendor(limited))

    assert failure.error_class == "rate_limit"
    if pause_s is None and provider in KEYS_ARE_USERS:
        # Its lock-outs last a minute, whether it says so or not.
        assert 60.0 <= (failure.retry_after_s or 0.0) <= 66.0
    else:
        assert failure.retry_after_s == pause_s


@pytest.mark.parametrize(
    ("value", "pause_s"),
    [
        ("120", 120.0),
        ("1.5", 1.5),
        ("999999999", 604_800.0),
        ("Wed, 18 Mar 2026 15:31:00 GMT", 60.0),
        ("Wed, 18 Mar 2020 15:31:00 GMT", 0.0),
        ("Wed, 18 Mar 2099 15:31:00 GMT", 604_800.0),
        ("Wed, 18 Mar 2026 15:31:00 +99999999999999999", None),
        ("-5", None),
        ("", None),
        ("9" * 5000, None),
    ],
)
def test_retry_after_is_read_in_both_forms_and_bounded(value: str, pause_s: float | None) -> None:
    """Seconds or an HTTP date; a week at most; nonsense is no pause."""
    now = datetime(2026, 3, 18, 15, 30, tzinfo=UTC)

    assert retry_after_s({"retry-after": value}, now) == pause_s


@asynccontextmanager
async def served(serve: Serve) -> AsyncIterator[str]:
    """A raw server on a loopback port."""
    ended: list[asyncio.Event] = []

    async def until_closed(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ended.append(asyncio.Event())
        mine = ended[-1]
        try:
            await serve(reader, writer)
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()
            mine.set()

    server = await asyncio.start_server(until_closed, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for event in ended:
            await event.wait()


def raw(payload: bytes) -> Serve:
    """A server that reads a request, writes these bytes and hangs up."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(4096)
        writer.write(payload)
        with suppress(OSError):
            await writer.drain()

    return serve


GOOD_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (b"", ("network", "provider", "CONNECTION_LOST")),
        (b"HTTP/1.1 200 OK\r\n", ("network", "provider", "CONNECTION_LOST")),
        (GOOD_HEAD + b"Content-Length: 50\r\n\r\n{", ("network", "provider", "CONNECTION_LOST")),
        (
            GOOD_HEAD + b"Transfer-Encoding: chunked\r\n\r\nZZ\r\n",
            ("provider_down", "provider", "MALFORMED"),
        ),
        (b"SSH-2.0-OpenSSH_9.6\r\n", ("provider_down", "provider", "MALFORMED")),
        (
            GOOD_HEAD + b"Content-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnope",
            ("provider_down", "provider", "MALFORMED"),
        ),
        (
            GOOD_HEAD + b"Content-Length: 99999999\r\n\r\n{}",
            ("provider_down", "provider", "MALFORMED"),
        ),
        (
            b"HTTP/1.1 307 x\r\nLocation: http://evil.test/\r\nContent-Length: 0\r\n\r\n",
            ("provider_down", "provider", "FOREIGN_REDIRECT"),
        ),
    ],
    ids=["cut", "half-head", "half-body", "bad-chunk", "no-http", "bad-gzip", "huge", "redirect"],
)
async def test_the_real_transport_classifies_what_a_broken_server_does(
    payload: bytes, expected: tuple[str, str, str]
) -> None:
    """Over a real socket nothing but a classified failure comes out."""
    async with served(raw(payload)) as url, client_for(url) as client:
        failure = await failure_of(VendorHttp(client).call("GET", "x", endpoint="x"))

    assert verdict(failure) == expected
    assert failure.sent


async def test_a_silent_server_is_a_timeout() -> None:
    """A server that accepts and never answers is cut at the call's own limit."""

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with served(silent) as url, client_for(url) as client:
        call = VendorHttp(client).call("GET", "x", endpoint="x", timeout_s=0.05)
        failure = await failure_of(call)

    assert verdict(failure) == ("network", "provider", "TIMEOUT")
    assert failure.sent


async def test_a_closed_port_means_that_nothing_left() -> None:
    """No connection, no request: an exchange may be tried again."""
    async with served(raw(b"")) as url:
        pass
    async with client_for(url) as client:
        failure = await failure_of(VendorHttp(client).call("GET", "x", endpoint="x"))

    assert verdict(failure) == ("network", "provider", "CONNECT_FAILED")
    assert not failure.sent


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_every_call_is_paced_and_counted(provider: str) -> None:
    """Each HTTP call asks for room under the name that the adapter's limits know."""
    asked: list[str] = []

    async def pace(endpoint: str) -> float:
        asked.append(endpoint)
        return 0.25

    vendor = ScriptedVendor(httpx.Response(500, headers={"X-Request-Id": "req-1"}))
    trace = AttemptTrace("a-1", pace)
    token = current_attempt.set(trace)
    try:
        await reading(provider, vendor)
    finally:
        current_attempt.reset(token)

    adapter = adapter_of(REGISTRY[provider])
    limited = {quota.endpoint for quota in adapter.quotas["sandbox"]} if adapter else set()
    assert (trace.http_calls, trace.waited_s, trace.http_status) == (1, 0.25, 500)
    assert trace.provider_request_id == "req-1"
    assert asked[0] in limited or None in limited
    assert "X-Attempt-Id" not in vendor.requests[0].headers


async def test_a_body_tells_the_request_id_too() -> None:
    """Plaid's request id stands in its bodies."""
    trace = AttemptTrace("a-1")
    token = current_attempt.set(trace)
    try:
        await reading("plaid", ScriptedVendor(answer({"request_id": "abc"}, 400)))
    finally:
        current_attempt.reset(token)

    assert trace.provider_request_id == "abc"


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_no_secret_is_in_a_failure_a_repr_or_a_log(
    provider: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Our keys, tokens and guids appear in nothing that people or logs see."""
    caplog.set_level(logging.DEBUG)
    vendor = ScriptedVendor(httpx.ReadTimeout(f"{TOKEN} {MEMBER_GUID} {KEYS}"))
    adapter: FinancialProvider = getattr(vendor, provider)()
    credential: Credential = CREDENTIALS[provider]
    texts = [repr(adapter), repr(adapter.__dict__)]
    spec = adapter_of(REGISTRY[provider])
    assert spec is not None
    texts.append(repr(vendor.config(spec)))
    calls = [
        adapter.get_accounts(accounts_request(credential)),
        adapter.sync_transactions(transactions_request(credential)),
        adapter.exchange_token(exchange_request(MEMBER_GUID, user_guid="USR-1")),
    ]
    if provider not in KEYS_ARE_USERS:
        calls += [
            adapter.create_link(link_request(repair=credential)),
            adapter.revoke(credential),
        ]
    texts += [repr(await failure_of(call)) for call in calls]

    seen = " ".join([*texts, caplog.text])
    for secret in (*KEYS.values(), *credential.reveal().values()):
        assert secret not in seen


async def test_an_http_clients_own_log_line_shows_no_address(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The line that holds URLs, and so member guids, is kept out of every log."""
    caplog.set_level(logging.DEBUG)
    vendor = ScriptedVendor(answer(member()), answer(page("accounts", [account()])))

    await vendor.mx().get_accounts(accounts_request(MX_CREDENTIAL))

    assert MEMBER_GUID not in caplog.text


def test_shipped_adapters_name_hosts_and_limits_for_both_environments() -> None:
    """Every adapter knows where its vendor is and what it allows."""
    for spec in REGISTRY.values():
        adapter = adapter_of(spec)
        if adapter is None:
            continue

        assert set(adapter.base_urls) == set(adapter.quotas) == {"sandbox", "production"}
        assert all(url.startswith("https://") for url in adapter.base_urls.values())
        config = AdapterConfig("sandbox", adapter.base_urls["sandbox"], KEYS)
        client = client_for(config.base_url, wire=HttpxWire(httpx.MockTransport(lambda _: None)))
        built = adapter.build(adapter.vendor_http(client, config), config)
        assert isinstance(built, FinancialProvider)


async def test_an_exact_amount_survives_the_wire() -> None:
    """A number's text becomes a Decimal without passing through a float."""
    body = (
        b'{"accounts": [], "pagination": {"current_page": 1, "total_pages": 1, "total_entries": 0}}'
    )
    rows = b'[{"guid": "ACT-1", "balance": 0.10000000000000000001}]'
    vendor = ScriptedVendor(
        answer(member()),
        httpx.Response(200, content=body.replace(b"[]", rows)),
    )

    result = await vendor.mx().get_accounts(accounts_request(MX_CREDENTIAL))

    assert result.accounts[0].balances.current == Decimal("0.10000000000000000001")
