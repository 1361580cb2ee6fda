"""One call of Plaid's: a POST with a JSON body, its errors classified."""

import asyncio
from collections.abc import Awaitable, Mapping
from typing import Final, TypeVar

from orchestrator.domain import ProviderFailure

from .attempt_trace import current_attempt
from .http import VendorHttp, note_request_id, retry_after_s
from .payload import Payload
from .plaid_errors import PLAID_ERRORS

__all__ = ["PlaidClient", "aside", "time_left_s"]

_RESERVE_S: Final = 1.0
"""What is left of an attempt's time for handing on what it has."""

T = TypeVar("T")


class PlaidClient:
    """Speaks Plaid over HTTP, whose headers hold our keys."""

    def __init__(self, http: VendorHttp) -> None:
        self._http = http

    async def post(
        self, path: str, body: Mapping[str, object], *, timeout_s: float = 60.0
    ) -> Payload:
        """Call an endpoint; answers what it says.

        Args:
            path: the endpoint, which is also its name in Plaid's limits.
            body: of the request.
            timeout_s: longest silence on the wire.

        Raises:
            ProviderFailure: Plaid's error, whatever the status; or what `VendorHttp.call` raises.

        """
        response = await self._http.call(
            "POST", path, endpoint=path, json=body, timeout_s=timeout_s
        )
        answer = response.json_object() if response.ok else response.error_body()
        told = answer if isinstance(answer, dict) else {}
        request_id = note_request_id(told.get("request_id"))
        if response.ok and "error_code" not in told:
            return told
        code, error_type = told.get("error_code"), told.get("error_type")
        raise PLAID_ERRORS.failure(
            code=code if isinstance(code, str) and code else None,
            error_type=error_type if isinstance(error_type, str) else None,
            http_status=response.status,
            retry_after_s=retry_after_s(response.headers),
            provider_request_id=request_id,
        )


def time_left_s() -> float:
    """What is left of the attempt under way, in seconds; endless outside of any."""
    trace = current_attempt.get()
    return float("inf") if trace is None else trace.time_left_s()


async def aside(call: Awaitable[T], *, within_s: float) -> T | None:
    """What a call brings that the attempt's result does not hang on.

    Its status and request id are not told as the attempt's.

    Args:
        call: may fail as a vendor's calls do.
        within_s: how long it may take, and less where the attempt's time runs out before.

    Returns:
        None where it failed or took too long.

    """
    trace = current_attempt.get()
    told = None if trace is None else (trace.http_status, trace.provider_request_id)
    try:
        async with asyncio.timeout(max(0.0, min(within_s, time_left_s() - _RESERVE_S))):
            return await call
    except (ProviderFailure, TimeoutError):
        return None
    finally:
        if trace is not None and told is not None:
            trace.http_status, trace.provider_request_id = told
