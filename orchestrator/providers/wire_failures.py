"""Failures that no vendor reports and every vendor can have: on the wire, and in a false 200."""

from enum import StrEnum

import aiohttp
import httpx

from orchestrator.domain import ErrorClass, ErrorScope, Failure, ProviderFailure

__all__ = ["WrongSuccess", "foreign_redirect", "malformed", "network_failure", "wrong_success"]


class WrongSuccess(StrEnum):
    """How a 200 contradicts itself."""

    TRUNCATED = "WRONG_SUCCESS_TRUNCATED"
    FROZEN = "WRONG_SUCCESS_FROZEN"


def malformed(what: str, *, http_status: int | None = None) -> ProviderFailure:
    """The failure of a 200 that cannot be read. `what` is our words, never the vendor's."""
    return ProviderFailure(
        Failure(
            error_class=ErrorClass.PROVIDER_DOWN,
            scope=ErrorScope.PROVIDER,
            code="MALFORMED",
            message=f"the provider's answer cannot be read: {what}",
            elsewhere=True,
            http_status=http_status,
        )
    )


def foreign_redirect(http_status: int) -> ProviderFailure:
    """The failure of an answer that points to another host; our credentials do not follow."""
    return ProviderFailure(
        Failure(
            error_class=ErrorClass.PROVIDER_DOWN,
            scope=ErrorScope.PROVIDER,
            code="FOREIGN_REDIRECT",
            message="the provider pointed an API call to another host; credentials do not follow",
            elsewhere=True,
            http_status=http_status,
        )
    )


def wrong_success(kind: WrongSuccess, what: str) -> ProviderFailure:
    """The failure of a 200 that contradicts itself. `what` is our words, never the vendor's."""
    return ProviderFailure(
        Failure(
            error_class=ErrorClass.PROVIDER_DOWN,
            scope=ErrorScope.INSTITUTION,
            code=kind.value,
            message=f"the provider's answer contradicts itself: {what}",
            elsewhere=True,
            http_status=200,
        )
    )


def network_failure(error: httpx.HTTPError) -> ProviderFailure:
    """The failure of a call without an answer; `sent` is False only if it cannot have left."""
    # The transport's mapping calls a cut connection a connect timeout: only the cause tells
    # whether the request can have reached the vendor.
    cause = error.__cause__
    never_left = isinstance(
        cause, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError
    ) or (cause is None and isinstance(error, httpx.ConnectError | httpx.ConnectTimeout))
    if never_left:
        code, message = "CONNECT_FAILED", "no connection to the provider could be made"
    elif isinstance(error, httpx.ReadTimeout | httpx.WriteTimeout | httpx.PoolTimeout):
        code, message = "TIMEOUT", "the provider did not answer in time"
    else:
        code, message = "CONNECTION_LOST", "the connection to the provider was cut"
    return ProviderFailure(
        Failure(
            error_class=ErrorClass.NETWORK,
            scope=ErrorScope.PROVIDER,
            code=code,
            message=message,
            sent=not never_left,
        )
    )
