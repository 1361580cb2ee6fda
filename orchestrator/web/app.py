"""The HTTP application: routes, request ids, and every error as a problem document."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Final

import orjson
import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from orchestrator.domain import ErrorType, OperationError, RequestRefused
from orchestrator.intake import new_request_id

from . import admin, connections, operations, webhooks
from .admission import Admission
from .direct import Direct
from .problem import PROBLEM_JSON, internal_body, problem
from .service import OpenService

__all__ = ["MOST_REQUESTS", "create_app"]

MOST_REQUESTS: Final = 1024

_log = structlog.get_logger("web")


class _RequestId:
    """Gives every request an id and every answer the header that tells it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = next((v for k, v in scope["headers"] if k == b"x-request-id"), b"").decode(
            "latin-1"
        )
        usable = 1 <= len(given) <= 128 and all("!" <= c <= "~" for c in given)
        request_id = given if usable else new_request_id()
        scope.setdefault("state", {})["request_id"] = request_id

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = message.setdefault("headers", [])
                if not any(name == b"x-request-id" for name, _ in headers):
                    headers.append((b"x-request-id", request_id.encode("latin-1")))
            await send(message)

        await self._app(scope, receive, send_with_id)


def _request_id(request: Request) -> str:
    return str(request.scope.get("state", {}).get("request_id", "")) or new_request_id()


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestRefused)  # noqa: S101  the type this handler is registered for
    return problem(error.error, _request_id(request))


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101  as above
    first = error.errors()[0]
    field = ".".join(str(part) for part in first["loc"][1:]) or str(first["loc"][0])
    refusal = OperationError(ErrorType.VALIDATION, "INVALID_FIELD", f"{field}: {first['msg']}")
    return problem(refusal, _request_id(request))


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101  as above
    if error.status_code == 404:
        nothing = OperationError(
            ErrorType.NOT_FOUND, "UNKNOWN_PATH", "nothing is at this path; /docs lists what is"
        )
        return problem(nothing, _request_id(request))
    refusal = OperationError(ErrorType.VALIDATION, f"HTTP_{error.status_code}", str(error.detail))
    response = problem(refusal, _request_id(request), status=error.status_code)
    response.headers.update(error.headers or {})
    return response


async def _unexpected(request: Request, error: Exception) -> Response:
    request_id = _request_id(request)
    _log.error(
        "unexpected_error", request_id=request_id, error=type(error).__name__, exc_info=error
    )
    body = orjson.dumps(internal_body(request_id))
    return Response(body, 500, {"X-Request-Id": request_id}, PROBLEM_JSON)


def create_app(open_service: OpenService, *, most_requests: int = MOST_REQUESTS) -> FastAPI:
    """The application; `open_service` is awaited once when it starts.

    Args:
        open_service: makes the service behind it.
        most_requests: under `/v1` that may be under way at once.

    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.service = await open_service()
        try:
            yield
        finally:
            await app.state.service.close()

    app = FastAPI(
        title="Provider Orchestrator",
        version=version("provider-orchestrator"),
        description="Bank data through several providers behind one interface.",
        lifespan=lifespan,
    )
    app.add_middleware(Direct, answers=operations.ANSWERS, refused=_refused, http_error=_http_error)
    app.add_middleware(Admission, most=most_requests)
    app.add_middleware(_RequestId)
    app.add_exception_handler(RequestRefused, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(Exception, _unexpected)
    app.include_router(operations.router)
    app.include_router(connections.router)
    app.include_router(webhooks.router)
    app.include_router(admin.router)

    @app.get("/healthz", tags=["probes"])
    async def healthz() -> dict[str, str]:
        """Whether the process is up."""
        return {"status": "ok"}

    @app.get("/readyz", tags=["probes"])
    async def readyz() -> dict[str, str]:
        """Whether the first request can be served; the lifespan has opened the service."""
        return {"status": "ready"}

    return app
