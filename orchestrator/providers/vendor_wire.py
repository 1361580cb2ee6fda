"""One HTTP exchange with a vendor: aiohttp's connections, and httpx's errors.

An `httpx.Request` and an `httpx.Response` on the way would be a good part of what an attempt costs.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

import aiohttp
import httpx
from httpx_aiohttp.transport import map_aiohttp_exceptions

__all__ = ["AiohttpWire", "VendorAnswer", "Wire", "timeout_of"]

_CONNECT_TIMEOUT_S: Final = 5.0
_MOST_KEPT: Final = 1_000


@dataclass(frozen=True, slots=True)
class VendorAnswer:
    """The head of an answer, whose body is still to be read. Close it."""

    status: int
    raw_headers: Sequence[tuple[bytes, bytes]]
    body: httpx.AsyncByteStream = field(repr=False)


class Wire(Protocol):
    """Sends requests to one vendor."""

    async def send(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes, *, silence_s: float
    ) -> VendorAnswer:
        """Send a request; answers when the head of the answer is there.

        Args:
            method: HTTP method.
            url: whole, with its query.
            headers: all that are to be told; the wire adds those of its connection.
            body: empty for none.
            silence_s: longest silence on the wire.

        Raises:
            httpx.HTTPError: no answer came.

        """
        ...

    async def aclose(self) -> None:
        """Let the connections go."""
        ...


class _Body(httpx.AsyncByteStream):
    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response

    async def __aiter__(self) -> AsyncIterator[bytes]:
        content = self._response.content
        try:
            while chunk := await content.readany():
                yield chunk
        except aiohttp.ClientError:
            with map_aiohttp_exceptions():
                raise

    async def aclose(self) -> None:
        """Give the connection back, or cut it where something is left on it."""
        self._response.release()


class AiohttpWire:
    """Keep-alive connections; no cookies, no redirects, no proxies.

    Args:
        max_connections: size of the pool.

    """

    def __init__(self, max_connections: int) -> None:
        self._max_connections = max_connections
        self._session: aiohttp.ClientSession | None = None
        self._timeouts: dict[float, aiohttp.ClientTimeout] = {}

    async def send(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes, *, silence_s: float
    ) -> VendorAnswer:
        """See `Wire`."""
        try:
            response = await self._opened().request(
                method,
                url,
                headers=headers,
                data=body or None,
                allow_redirects=False,
                timeout=self._timeout(silence_s),
            )
        except aiohttp.ClientError:
            with map_aiohttp_exceptions():
                raise
        return VendorAnswer(response.status, response.raw_headers, _Body(response))

    async def aclose(self) -> None:
        """See `Wire`."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _timeout(self, silence_s: float) -> aiohttp.ClientTimeout:
        kept = self._timeouts.get(silence_s)
        if kept is None:
            if len(self._timeouts) >= _MOST_KEPT:
                self._timeouts.clear()
            kept = self._timeouts[silence_s] = timeout_of(silence_s)
        return kept

    def _opened(self) -> aiohttp.ClientSession:
        # Made with the first request: it belongs to that one's event loop.
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=self._max_connections, keepalive_timeout=30),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
            )
        return self._session


def timeout_of(silence_s: float) -> aiohttp.ClientTimeout:
    """Bounds of one exchange: connecting takes no longer than a silence may, and five seconds."""
    return aiohttp.ClientTimeout(
        sock_connect=min(_CONNECT_TIMEOUT_S, silence_s), sock_read=silence_s, connect=silence_s
    )
