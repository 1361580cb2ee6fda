"""Static answers without nginx: `python -m benchmarks.static_server PORT`."""

import asyncio
import json
import sys
from collections.abc import Mapping
from typing import Final, cast

import uvloop

from benchmarks.upstream import ANSWERS

__all__ = ["main"]

_HEAD_END: Final = b"\r\n\r\n"
_LENGTH: Final = b"content-length:"
_NOT_FOUND: Final = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"


def _whole(answer: Mapping[str, object]) -> bytes:
    body = json.dumps(answer).encode()
    head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


_BY_PATH: Final = {path.encode(): _whole(answer) for path, answer in ANSWERS.items()}


class _StaticAnswers(asyncio.Protocol):
    """Answers by path alone; a request's body is counted and passed over."""

    def __init__(self) -> None:
        self._transport: asyncio.WriteTransport | None = None
        self._come = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are not of asyncio's class.
        self._transport = cast(asyncio.WriteTransport, transport)

    def data_received(self, data: bytes) -> None:
        self._come += data
        answers = []
        while (end := self._come.find(_HEAD_END)) >= 0:
            head = self._come[:end]
            whole = end + len(_HEAD_END) + _length(head)
            if len(self._come) < whole:
                break
            self._come = self._come[whole:]
            answers.append(_BY_PATH.get(head.split(b" ", 2)[1], _NOT_FOUND))
        if answers and self._transport is not None:
            self._transport.write(b"".join(answers))


def _length(head: bytes) -> int:
    at = head.lower().find(_LENGTH)
    if at < 0:
        return 0
    return int(head[at + len(_LENGTH) :].split(b"\r\n", 1)[0])


async def _serve(port: int) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(_StaticAnswers, "127.0.0.1", port, backlog=4096)
    await server.serve_forever()


def main() -> None:
    """Serve until ended."""
    uvloop.run(_serve(int(sys.argv[1])))


if __name__ == "__main__":
    main()
