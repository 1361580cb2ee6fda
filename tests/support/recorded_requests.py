"""What an adapter sends on the wire, kept for looking at."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl

import httpx

__all__ = ["Recorder", "Sent"]


@dataclass(frozen=True, slots=True)
class Sent:
    """One request. `path` is below the vendor's base URL, header names are lower case."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes


class Recorder(httpx.AsyncBaseTransport):
    """Passes requests on and keeps them.

    Args:
        inner: the transport that sends.
        base_path: the path of the base URL, which stands for the vendor's host.

    """

    def __init__(self, inner: httpx.AsyncBaseTransport, base_path: str) -> None:
        self._inner = inner
        self._base_path = base_path.rstrip("/")
        self.sent: list[Sent] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send it on."""
        body = await request.aread()
        self.sent.append(
            Sent(
                method=request.method,
                path=request.url.path.removeprefix(self._base_path),
                query=dict(parse_qsl(request.url.query.decode(), keep_blank_values=True)),
                headers={name.lower(): value for name, value in request.headers.items()},
                body=body,
            )
        )
        return await self._inner.handle_async_request(request)

    async def aclose(self) -> None:
        """Close what sends."""
        await self._inner.aclose()
