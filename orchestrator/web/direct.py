"""The busiest paths, answered past FastAPI, which took two thirds of a request's time here."""

from collections.abc import Awaitable, Callable, Mapping

from fastapi import Request, Response
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Receive, Scope, Send

from orchestrator.domain import RequestRefused

__all__ = ["Answer", "Direct", "Refusal"]

Answer = Callable[[Request], Awaitable[Response]]
Refusal = Callable[[Request, Exception], Awaitable[Response]]


class Direct:
    """Answers POST requests at exact paths, and hands all others on.

    The same paths are routes of the application, too, which is where OpenAPI has them from.

    Args:
        app: answers the rest.
        answers: by path.
        refused: makes the answer of a `RequestRefused`.
        http_error: makes the answer of an `HTTPException`.

    """

    def __init__(
        self,
        app: ASGIApp,
        answers: Mapping[str, Answer],
        refused: Refusal,
        http_error: Refusal,
    ) -> None:
        self._app = app
        self._answers = answers
        self._refused = refused
        self._http_error = http_error

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or hand it on."""
        answer = None
        if scope["type"] == "http" and scope["method"] == "POST":
            answer = self._answers.get(scope["path"])
        if answer is None:
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        try:
            response = await answer(request)
        except RequestRefused as refusal:
            response = await self._refused(request, refusal)
        except HTTPException as error:
            response = await self._http_error(request, error)
        await response(scope, receive, send)
