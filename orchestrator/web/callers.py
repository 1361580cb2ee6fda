"""What every route needs from its request: the service behind it and who is asking."""

from typing import cast

from fastapi import Request

from orchestrator.access import Caller

from .service import Service

__all__ = ["admin_of", "caller_of", "service_of"]


def service_of(request: Request) -> Service:
    """The service that the application's lifespan opened."""
    return cast(Service, request.app.state.service)


def caller_of(request: Request) -> Caller:
    """Who asks for something under `/v1`.

    Raises:
        RequestRefused: `unauthorized` or `forbidden`.

    """
    return service_of(request).access.caller(request.headers, admin=False)


def admin_of(request: Request) -> Caller:
    """Who asks for something under `/admin`.

    Raises:
        RequestRefused: `unauthorized` or `forbidden`.

    """
    return service_of(request).access.caller(request.headers, admin=True)
