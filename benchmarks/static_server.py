"""Static answers without nginx: `python -m benchmarks.static_server PORT`.

A post to `/_mode/NAME` changes what becomes of reads from then on: `answering`, `silent` (they are
never answered) or `failing` (Plaid's own 500).
"""

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
_NO_CONTENT: Final = b"HTTP/1.1 204 No Content\r\n\r\n"
_MODE: Final = b"/_mode/"
_READS: Final = b"/accounts/get"


def _whole(answer: Mapping[str, object], status: str = "200 OK") -> bytes:
    body = json.dumps(answer).encode()
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


_BY_PATH: Final = {path.encode(): _whole(answer) for path, answer in ANSWERS.items()}

_FAILED: Final = _whole(
    {
        "error_type": "API_ERROR",
        "error_code": "INTERNAL_SERVER_ERROR",
        "error_message": "an unexpected error occurred",
        "request_id": "benchmark0failed0",
    },
    "500 Internal Server Error",
)


class _Mode:
    """What becomes of reads, for all connections."""

    def __init__(self) -> None:
        self.name = b"answering"

    def answer(self, path: bytes) -> bytes:
        """What is said to a request; nothing where it is never answered."""
        if path.startswith(_MODE):
            self.name = path.removeprefix(_MODE)
            return _NO_CONTENT
        if path == _READS and self.name != b"answering":
            return _FAILED if self.name == b"failing" else b""
        return _BY_PATH.get(path, _NOT_FOUND)


class _StaticAnswers(asyncio.Protocol):
    """Answers by path alone; a request's body is counted and passed over."""

    def __init__(self, mode: _Mode) -> None:
        self._mode = mode
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
            answers.append(self._mode.answer(head.split(b" ", 2)[1]))
        if answers and self._transport is not None:
            self._transport.write(b"".join(answers))


def _length(head: bytes) -> int:
    at = head.lower().find(_LENGTH)
    if at < 0:
        return 0
    return int(head[at + len(_LENGTH) :].split(b"\r\n", 1)[0])


async def _serve(port: int) -> None:
    loop = asyncio.get_running_loop()
    mode = _Mode()
    server = await loop.create_server(lambda: _StaticAnswers(mode), "127.0.0.1", port, backlog=4096)
    await server.serve_forever()


def main() -> None:
    """Serve until ended."""
    uvloop.run(_serve(int(sys.argv[1])))


if __name__ == "__main__":
    main()
