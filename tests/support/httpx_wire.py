"""A wire of httpx's transports, which tests script and record."""

from collections.abc import Mapping

import httpx

from orchestrator.providers.vendor_wire import VendorAnswer

__all__ = ["HttpxWire"]


class HttpxWire:
    """See `Wire`.

    Args:
        transport: sends requests; closed with it.

    """

    def __init__(self, transport: httpx.AsyncBaseTransport) -> None:
        self._transport = transport

    async def send(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes, *, silence_s: float
    ) -> VendorAnswer:
        """See `Wire`."""
        request = httpx.Request(
            method,
            url,
            headers=headers,
            stream=httpx.ByteStream(body),
            extensions={"timeout": httpx.Timeout(silence_s).as_dict()},
        )
        await request.aread()
        response = await self._transport.handle_async_request(request)
        assert isinstance(response.stream, httpx.AsyncByteStream)
        return VendorAnswer(response.status_code, response.headers.raw, response.stream)

    async def aclose(self) -> None:
        """See `Wire`."""
        await self._transport.aclose()
