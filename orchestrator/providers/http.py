"""The one way out to a vendor: bounded in size and time, never redirected, failures classified."""

import ipaddress
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport

from orchestrator.domain import ConfigurationError, loads_decimal

from .attempt_trace import current_attempt
from .rate_limit_headers import told_allowance
from .retry_after import retry_after_s
from .wire_failures import foreign_redirect, malformed, network_failure

__all__ = [
    "MAX_ANSWER_BYTES",
    "VendorHttp",
    "VendorResponse",
    "client_for",
    "foreign_redirect",
    "is_loopback",
    "leads_elsewhere",
    "malformed",
    "note_request_id",
    "retry_after_s",
]

MAX_ANSWER_BYTES: Final = 16 * 1024 * 1024
_CONNECT_TIMEOUT_S: Final = 5.0
_REQUEST_ID_SHAPE: Final = re.compile(r"[A-Za-z0-9._:\-]{1,128}")
_DIGITS: Final = re.compile(r"[0-9]+")
_LONGEST_LENGTH_DIGITS: Final = 18
_UNREADABLE: Final = (ValueError, ArithmeticError, RecursionError)
"""What parsing hostile JSON raises: no JSON or UTF-8, an exponent beyond Decimal's, too deep."""


def _no_addresses(record: logging.LogRecord) -> bool:
    """Keep httpx's own INFO line out of every log: it holds URLs, and some hold credentials."""
    return record.levelno >= logging.WARNING


logging.getLogger("httpx").addFilter(_no_addresses)


def is_loopback(url: str) -> bool:
    """Whether this URL's host can only be this machine."""
    host = urlsplit(url).hostname or ""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def client_for(
    base_url: str, *, max_connections: int = 100, transport: httpx.AsyncBaseTransport | None = None
) -> httpx.AsyncClient:
    """An HTTP client for one vendor: keep-alive, no cookies, no redirects, no proxy surprises.

    Args:
        base_url: the vendor's, https; http is taken on loopback only.
        max_connections: size of the pool.
        transport: another transport, for tests.

    Raises:
        ConfigurationError: `base_url` is neither https nor on loopback.

    """
    scheme = urlsplit(base_url).scheme
    if scheme != "https" and not (scheme == "http" and is_loopback(base_url)):
        raise ConfigurationError(
            f"{base_url!r} cannot be a provider's base URL: use https (http only on loopback)"
        )

    def session() -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=max_connections, keepalive_timeout=30),
            cookie_jar=aiohttp.DummyCookieJar(),
        )

    return httpx.AsyncClient(
        base_url=base_url.rstrip("/") + "/",
        transport=transport or AiohttpTransport(client=session),
        follow_redirects=False,
        trust_env=False,
        headers={"User-Agent": "provider-orchestrator", "Accept": "application/json"},
    )


def note_request_id(value: object) -> str | None:
    """Keep the vendor's request id of a body for the attempt under way; answers it when usable."""
    if not isinstance(value, str) or not _REQUEST_ID_SHAPE.fullmatch(value):
        return None
    trace = current_attempt.get()
    if trace is not None:
        trace.provider_request_id = value
    return value


def leads_elsewhere(target: str, base_url: str) -> bool:
    """Whether a vendor's address (absolute or relative) names another host than the base URL's."""
    try:
        host = urlsplit(target).netloc
    except ValueError:
        return True
    return bool(host) and host.lower() != urlsplit(base_url).netloc.lower()


@dataclass(frozen=True, slots=True)
class VendorResponse:
    """A vendor's answer, read whole. Header names are lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def ok(self) -> bool:
        """Whether the status is 2xx."""
        return 200 <= self.status < 300

    def json(self) -> object:
        """The body as JSON with Decimals.

        Raises:
            ProviderFailure: `MALFORMED`, where it is not JSON.

        """
        try:
            return loads_decimal(self.body)
        except _UNREADABLE:
            raise malformed("not JSON", http_status=self.status) from None

    def json_object(self) -> Mapping[str, object]:
        """The body as a JSON object.

        Raises:
            ProviderFailure: `MALFORMED`, where it is anything else.

        """
        value = self.json()
        if not isinstance(value, dict):
            raise malformed("not a JSON object", http_status=self.status)
        return value

    def error_body(self) -> object | None:
        """The body as JSON, or None where it is not; for errors, which must never raise."""
        try:
            return loads_decimal(self.body)
        except _UNREADABLE:
            return None


class VendorHttp:
    """HTTP to one vendor. Safe for concurrent use within one event loop.

    Args:
        client: from `client_for`; owned by the caller, who closes it.
        auth: credentials of ours, put on every call.
        headers: fixed headers of the vendor's protocol.

    """

    def __init__(
        self,
        client: httpx.AsyncClient,
        *,
        auth: httpx.Auth | tuple[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self._client = client
        self._auth = auth
        self._headers = dict(headers or {})
        self._tells_attempts = is_loopback(str(client.base_url))
        self.base_url = str(client.base_url)

    async def call(
        self,
        method: str,
        path: str,
        *,
        endpoint: str,
        json: object | None = None,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        auth: httpx.Auth | None = None,
        timeout_s: float = 60.0,
    ) -> VendorResponse:
        """Send one request and read its answer, whatever its status below 300 and above 399.

        Args:
            method: HTTP method.
            path: below the base URL, without a leading slash.
            endpoint: the name under which the vendor's limits know this call.
            json: body.
            query: query items.
            headers: headers of this call alone.
            auth: credentials of this call alone, in place of ours.
            timeout_s: longest silence on the wire; the attempt's own timeout cuts sooner.

        Raises:
            ProviderFailure: `network` when no answer came, `FOREIGN_REDIRECT` on any redirect,
                `MALFORMED` when the answer is too large, `rate_limit` when our own limiter has no
                room in time.

        """
        trace = current_attempt.get()
        silence_s = timeout_s if trace is None else min(timeout_s, trace.call_timeout_s)
        sent_headers = {**self._headers, **(headers or {})}
        if trace is not None:
            trace.waited_s += await trace.pace(endpoint)
            trace.http_calls += 1
            if self._tells_attempts:
                sent_headers |= trace.told()
        request = self._client.build_request(
            method,
            path.lstrip("/"),
            json=json,
            params=dict(query) if query else None,
            headers=sent_headers,
            timeout=httpx.Timeout(silence_s, connect=min(_CONNECT_TIMEOUT_S, silence_s)),
        )
        try:
            response = await self._client.send(request, auth=auth or self._auth, stream=True)
            if trace is not None:
                trace.http_status = response.status_code
            try:
                self._refuse_redirect(response)
                body = await _bounded_body(response)
            finally:
                await response.aclose()
        except httpx.HTTPError as error:
            raise network_failure(error) from None
        except aiohttp.ClientError:
            # Protocol violations pass the transport's own mapping, and name the URL in their text.
            raise malformed("not HTTP") from None
        note_request_id(response.headers.get("x-request-id"))
        told = {name.lower(): value for name, value in response.headers.items()}
        allowance = told_allowance(told)
        if trace is not None and allowance is not None:
            trace.tell_allowance(endpoint, allowance)
        return VendorResponse(status=response.status_code, headers=told, body=body)

    def _refuse_redirect(self, response: httpx.Response) -> None:
        if not 300 <= response.status_code < 400:
            return
        foreign = leads_elsewhere(response.headers.get("location", ""), self.base_url)
        if foreign:
            raise foreign_redirect(response.status_code)
        raise malformed(
            "a redirect, which no API call should get", http_status=response.status_code
        )


async def _bounded_body(response: httpx.Response) -> bytes:
    declared = response.headers.get("content-length", "")
    too_long = len(declared) > _LONGEST_LENGTH_DIGITS
    if _DIGITS.fullmatch(declared) and (too_long or int(declared) > MAX_ANSWER_BYTES):
        raise malformed("larger than 16 MiB", http_status=response.status_code)
    chunks: list[bytes] = []
    size = 0
    try:
        async for chunk in response.aiter_bytes():
            size += len(chunk)
            if size > MAX_ANSWER_BYTES:
                raise malformed("larger than 16 MiB", http_status=response.status_code)
            chunks.append(chunk)
    except httpx.DecodingError:
        raise malformed("its compression is broken", http_status=response.status_code) from None
    return b"".join(chunks)
