"""How many requests may be under way at once; those over it are told so at once."""

from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from .problem import problem
from .problem_documents import TOO_MANY_REQUESTS

__all__ = ["Admission"]

_BOUNDED: Final = "/v1/"
"""Probes and the operator's pages are answered however much is under way."""


class Admission:
    """Lets a bounded number of requests in, and tells the rest 429 `overloaded`.

    Args:
        app: serves what is let in.
        most: requests under `/v1` that may be under way at once.

    """

    def __init__(self, app: ASGIApp, most: int) -> None:
        self._app = app
        self._most = most
        self._under_way = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, or refuse it."""
        if scope["type"] != "http" or not scope["path"].startswith(_BOUNDED):
            await self._app(scope, receive, send)
        elif self._under_way >= self._most:
            await problem(TOO_MANY_REQUESTS, scope["state"]["request_id"])(scope, receive, send)
        else:
            self._under_way += 1
            try:
                await self._app(scope, receive, send)
            finally:
                self._under_way -= 1
