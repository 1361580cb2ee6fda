"""Many callers who ask at once, a connection and one request each, at as little cost as can be.

An HTTP client of Python's takes longer to ask ten thousand times than the system takes to answer,
and would be what is measured.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, cast
from urllib.parse import urlsplit

from benchmarks.results import BenchmarkFailed

__all__ = ["Answered", "ask_at_once"]

_CONNECTING: Final = 500
"""So many connect at once: over a few thousand, the kernel drops those that have not been accepted."""
_HEAD_END: Final = b"\r\n\r\n"
_LENGTH: Final = b"content-length:"
_STATUS: Final = slice(9, 12)


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer's status, and how long it took from the connection's beginning on."""

    status: int
    took_ms: float


class _Caller(asyncio.Protocol):
    """Sends one request, and tells its status once the answer is whole."""

    def __init__(self, request: bytes, told: "asyncio.Future[int]") -> None:
        self._request = request
        self._told = told
        self._come = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are not of asyncio's class.
        cast(asyncio.WriteTransport, transport).write(self._request)

    def data_received(self, data: bytes) -> None:
        self._come += data
        end = self._come.find(_HEAD_END)
        if end < 0 or self._told.done():
            return
        head = self._come[:end]
        at = head.lower().find(_LENGTH)
        length = int(head[at + len(_LENGTH) :].split(b"\r\n", 1)[0])
        if at >= 0 and len(self._come) >= end + len(_HEAD_END) + length:
            self._told.set_result(int(head[_STATUS]))

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._told.done():
            self._told.set_exception(exc or ConnectionResetError("closed without an answer"))


async def ask_at_once(url: str, bodies: Sequence[bytes], *, within_s: float) -> list[Answered]:
    """POST all of these bodies at once; answers come in any order. Best on uvloop.

    Raises:
        BenchmarkFailed: not everybody was answered in time.

    """
    address = urlsplit(url)
    host, port = str(address.hostname), address.port or 80
    head = (
        f"POST {address.path} HTTP/1.1\r\nHost: {address.netloc}\r\n"
        "Content-Type: application/json\r\nContent-Length: "
    ).encode()
    loop = asyncio.get_running_loop()
    turn = asyncio.Semaphore(_CONNECTING)
    answered: list[Answered] = []

    async def one(body: bytes) -> None:
        told: asyncio.Future[int] = loop.create_future()
        request = head + str(len(body)).encode() + _HEAD_END + body
        async with turn:
            began = time.perf_counter()
            transport, _ = await loop.create_connection(lambda: _Caller(request, told), host, port)
        try:
            answered.append(Answered(await told, (time.perf_counter() - began) * 1000))
        finally:
            transport.close()

    try:
        async with asyncio.timeout(within_s), asyncio.TaskGroup() as callers:
            for body in bodies:
                callers.create_task(one(body))
    except (TimeoutError, ExceptionGroup) as error:
        raise BenchmarkFailed(
            f"{len(answered)} of {len(bodies)} were answered: {error!r}"
        ) from None
    return answered
