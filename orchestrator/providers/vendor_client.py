"""A vendor's HTTP connections: httpx requests straight into the aiohttp transport.

What an `httpx.AsyncClient` puts between them — cookies, redirects, merged addresses, hooks — no
vendor's API needs, and it costs about as much as the rest of a call.
"""

import ipaddress
import logging
from collections.abc import Mapping
from types import TracebackType
from typing import Final, Self
from urllib.parse import urlsplit

import aiohttp
import httpx
import orjson
from httpx_aiohttp import AiohttpTransport

from orchestrator.domain import ConfigurationError

__all__ = ["VendorClient", "client_for", "is_loopback"]

_CONNECT_TIMEOUT_S: Final = 5.0
_MOST_ADDRESSES: Final = 1_000
_ALWAYS: Final = {"User-Agent": "provider-orchestrator", "Accept": "application/json"}


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


class VendorClient:
    """Keep-alive connections to one vendor; no cookies, no redirects, no proxies.

    Args:
        base_url: the vendor's, with a slash at its end.
        transport: sends requests; closed with the client.

    """

    def __init__(self, base_url: str, transport: httpx.AsyncBaseTransport) -> None:
        self.base_url = base_url
        self._transport = transport
        self._addresses: dict[str, httpx.URL] = {}

    async def send(
        self,
        method: str,
        path: str,
        *,
        json: object | None = None,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str],
        auth: httpx.Auth | None = None,
        silence_s: float,
    ) -> httpx.Response:
        """Send a request; answers when the head of the answer is there. Close the response.

        Args:
            method: HTTP method.
            path: below the base URL, without a leading slash.
            json: body.
            query: query items.
            headers: of this request.
            auth: puts credentials on it, in one step.
            silence_s: longest silence on the wire.

        Raises:
            httpx.HTTPError: no answer came.

        """
        sent = {**_ALWAYS, **headers}
        body = b""
        if json is not None:
            body = orjson.dumps(json)
            sent.setdefault("Content-Type", "application/json")
        request = httpx.Request(
            method,
            self._address(path) if not query else httpx.URL(self.base_url + path, params=query),
            headers=sent,
            # As a stream, so that httpx looks for no headers to add: the transport adds its own.
            stream=httpx.ByteStream(body),
            extensions={
                "timeout": httpx.Timeout(
                    silence_s, connect=min(_CONNECT_TIMEOUT_S, silence_s)
                ).as_dict()
            },
        )
        request.read()
        # Told, so that httpx does not try each header in turn to find it out.
        request.headers.encoding = "utf-8"
        if auth is not None:
            request = next(auth.sync_auth_flow(request))
        return await self._transport.handle_async_request(request)

    async def aclose(self) -> None:
        """Let the connections go."""
        await self._transport.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    def _address(self, path: str) -> httpx.URL:
        address = self._addresses.get(path)
        if address is None:
            if len(self._addresses) >= _MOST_ADDRESSES:
                self._addresses.clear()
            address = self._addresses[path] = httpx.URL(self.base_url + path)
        return address


def client_for(
    base_url: str, *, max_connections: int = 100, transport: httpx.AsyncBaseTransport | None = None
) -> VendorClient:
    """An HTTP client for one vendor.

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

    return VendorClient(base_url.rstrip("/") + "/", transport or AiohttpTransport(client=session))
