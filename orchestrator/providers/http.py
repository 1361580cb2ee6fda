"""The one way out to a vendor: bounded in size and time, never redirected, failures classified."""

import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

import aiohttp
import httpx

from orchestrator.domain import loads_decimal

from .attempt_trace import current_attempt
from .rate_limit_headers import told_allowance
from .retry_after import retry_after_s
from .vendor_client import VendorClient, client_for, is_loopback
from .vendor_wire import VendorAnswer
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
_REQUEST_ID_SHAPE: Final = re.compile(r"[A-Za-z0-9._:\-]{1,128}")
_DIGITS: Final = re.compile(r"[0-9]+")
_LONGEST_LENGTH_DIGITS: Final = 18
_UNREADABLE: Final = (ValueError, ArithmeticError, RecursionError)
"""What parsing hostile JSON raises: no JSON or UTF-8, an exponent beyond Decimal's, too deep."""


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
        auth: user and password of ours, put on every call.
        headers: fixed headers of the vendor's protocol.

    """

    def __init__(
        self,
        client: VendorClient,
        *,
        auth: tuple[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self._client = client
        self._auth = None if auth is None else httpx.BasicAuth(*auth)
        self._headers = dict(headers or {})
        self._tells_attempts = is_loopback(client.base_url)
        self.base_url = client.base_url

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
        try:
            answer = await self._client.send(
                method,
                path.lstrip("/"),
                json=json,
                query=query,
                headers=sent_headers,
                auth=auth or self._auth,
                silence_s=silence_s,
            )
            if trace is not None:
                trace.http_status = answer.status
            try:
                told = _headers_of(answer)
                self._refuse_redirect(answer.status, told)
                body = await _bounded_body(answer, told)
            finally:
                await answer.body.aclose()
        except httpx.HTTPError as error:
            raise network_failure(error) from None
        except aiohttp.ClientError:
            # Protocol violations pass the transport's own mapping, and name the URL in their text.
            raise malformed("not HTTP") from None
        note_request_id(told.get("x-request-id"))
        allowance = told_allowance(told)
        if trace is not None and allowance is not None:
            trace.tell_allowance(endpoint, allowance)
        return VendorResponse(status=answer.status, headers=told, body=body)

    def _refuse_redirect(self, status: int, headers: Mapping[str, str]) -> None:
        if not 300 <= status < 400:
            return
        foreign = leads_elsewhere(headers.get("location", ""), self.base_url)
        if foreign:
            raise foreign_redirect(status)
        raise malformed("a redirect, which no API call should get", http_status=status)


def _headers_of(answer: VendorAnswer) -> dict[str, str]:
    """Names in lower case, repeated ones as one list; latin-1, of which every byte is a letter."""
    told: dict[str, str] = {}
    for raw_name, raw_value in answer.raw_headers:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        told[name] = f"{told[name]}, {value}" if name in told else value
    return told


async def _bounded_body(answer: VendorAnswer, headers: Mapping[str, str]) -> bytes:
    declared = headers.get("content-length", "")
    too_long = len(declared) > _LONGEST_LENGTH_DIGITS
    if _DIGITS.fullmatch(declared) and (too_long or int(declared) > MAX_ANSWER_BYTES):
        raise malformed("larger than 16 MiB", http_status=answer.status)
    chunks: list[bytes] = []
    size = 0
    try:
        async for chunk in _decoded(answer, headers):
            size += len(chunk)
            if size > MAX_ANSWER_BYTES:
                raise malformed("larger than 16 MiB", http_status=answer.status)
            chunks.append(chunk)
    except httpx.DecodingError:
        raise malformed("its compression is broken", http_status=answer.status) from None
    return b"".join(chunks)


def _decoded(answer: VendorAnswer, headers: Mapping[str, str]) -> AsyncIterator[bytes]:
    if "content-encoding" not in headers:
        return aiter(answer.body)
    encoded = httpx.Response(answer.status, headers=list(answer.raw_headers), stream=answer.body)
    return encoded.aiter_bytes()
