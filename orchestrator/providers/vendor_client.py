"""A vendor's HTTP client: where its requests go, and what stands on each of them."""

import ipaddress
import logging
from collections.abc import Mapping
from types import TracebackType
from typing import Final, Self
from urllib.parse import urlsplit

import httpx
import orjson

from orchestrator.domain import ConfigurationError

from .vendor_wire import AiohttpWire, VendorAnswer, Wire

__all__ = ["VendorClient", "client_for", "is_loopback"]

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
        wire: sends requests; closed with the client.

    """

    def __init__(self, base_url: str, wire: Wire) -> None:
        self.base_url = base_url
        self._wire = wire
        self._addresses: dict[str, str] = {}

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
    ) -> VendorAnswer:
        """Send a request; answers when the head of the answer is there. Close the answer's body.

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
        sent: Mapping[str, str] = {**_ALWAYS, **headers}
        body = b""
        if json is not None:
            body = orjson.dumps(json)
            sent = {"Content-Type": "application/json", **sent}
        url = self._address(path, query)
        if auth is not None:
            sent = _signed(auth, method, url, sent, body)
        return await self._wire.send(method, url, sent, body, silence_s=silence_s)

    async def aclose(self) -> None:
        """Let the connections go."""
        await self._wire.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    def _address(self, path: str, query: Mapping[str, str] | None) -> str:
        if query:
            return str(httpx.URL(self.base_url + path, params=query))
        address = self._addresses.get(path)
        if address is None:
            if len(self._addresses) >= _MOST_ADDRESSES:
                self._addresses.clear()
            address = self._addresses[path] = str(httpx.URL(self.base_url + path))
        return address


def _signed(
    auth: httpx.Auth, method: str, url: str, headers: Mapping[str, str], body: bytes
) -> dict[str, str]:
    """These headers, with those of the credentials."""
    # As a stream, so that httpx adds no headers of its own: the wire does.
    request = httpx.Request(method, url, headers=headers, stream=httpx.ByteStream(body))
    request.read()
    # Told, so that httpx does not try each header in turn to find it out.
    request.headers.encoding = "utf-8"
    return dict(next(auth.sync_auth_flow(request)).headers.items())


def client_for(
    base_url: str, *, max_connections: int = 100, wire: Wire | None = None
) -> VendorClient:
    """An HTTP client for one vendor.

    Args:
        base_url: the vendor's, https; http is taken on loopback only.
        max_connections: size of the pool.
        wire: another wire, for tests.

    Raises:
        ConfigurationError: `base_url` is neither https nor on loopback.

    """
    scheme = urlsplit(base_url).scheme
    if scheme != "https" and not (scheme == "http" and is_loopback(base_url)):
        raise ConfigurationError(
            f"{base_url!r} cannot be a provider's base URL: use https (http only on loopback)"
        )

    return VendorClient(base_url.rstrip("/") + "/", wire or AiohttpWire(max_connections))
