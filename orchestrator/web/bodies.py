"""Request bodies as OpenAPI shows them, and their reading with a bound on size."""

import asyncio
from typing import Annotated, Final, Generic, Literal, TypeVar

import orjson
from fastapi import HTTPException, Request
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel
from starlette.requests import ClientDisconnect

from orchestrator.domain import DEFAULT_DEADLINE_MS, ErrorType, OperationError, RequestRefused
from orchestrator.intake import DEFAULT_REGION, refused_field

__all__ = [
    "MAX_BODY_BYTES",
    "BatchBody",
    "CircuitBody",
    "OperationBody",
    "read_bytes",
    "read_json_object",
]

MAX_BODY_BYTES: Final = 1024 * 1024

P = TypeVar("P", bound=BaseModel)


class _Body(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="forbid")


class OperationBody(_Body, Generic[P]):
    """Body of `POST /v1/operations/{operation}`."""

    params: P
    preferred_provider: str | None = Field(None, description="Tried first when it is eligible.")
    region: str = Field(DEFAULT_REGION, description="ISO 3166-1 alpha-2; for createLink.")
    deadline_ms: Annotated[int, Field(ge=100, le=600_000)] = DEFAULT_DEADLINE_MS
    priority: Literal["interactive", "backfill"] = "interactive"


class BatchItem(_Body):
    """One operation of a batch."""

    operation: str
    params: dict[str, object]
    preferred_provider: str | None = None
    region: str = DEFAULT_REGION
    deadline_ms: int = DEFAULT_DEADLINE_MS
    priority: str = "interactive"
    idempotency_key: str | None = None


class BatchBody(_Body):
    """Body of `POST /v1/batch`."""

    operations: Annotated[list[BatchItem], Field(min_length=1, max_length=1000)]


class CircuitBody(_Body):
    """Body of `POST /admin/providers/{provider}/circuit`."""

    state: Literal["FORCED_OPEN", "FORCED_CLOSED", "AUTO"]
    reason: Annotated[str, Field(min_length=1, max_length=200)]


async def read_bytes(request: Request, most_bytes: int, *, within_s: float | None = None) -> bytes:
    """The request's body as it came.

    Args:
        request: whose body.
        most_bytes: it may have.
        within_s: how long it may take to arrive; None for as long as it takes.

    Raises:
        RequestRefused: `too_large`, as soon as more has come.
        HTTPException: 408 where it took too long, 400 where the caller has left before its end.

    """
    try:
        async with asyncio.timeout(within_s):
            return await _bounded(request, most_bytes)
    except TimeoutError:
        raise HTTPException(408, "the body did not arrive in time") from None
    except ClientDisconnect:
        raise HTTPException(400, "the body broke off before its end") from None


async def _bounded(request: Request, most_bytes: int) -> bytes:
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > most_bytes:
            raise RequestRefused(
                OperationError(
                    ErrorType.TOO_LARGE,
                    "BODY_TOO_LARGE",
                    f"the body is larger than {most_bytes // 1024} KiB",
                )
            )
        chunks.append(chunk)
    return b"".join(chunks)


async def read_json_object(request: Request) -> dict[str, object]:
    """The request's body as a JSON object.

    Raises:
        RequestRefused: `too_large` over 1 MiB, `validation` where it is not a JSON object.

    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise refused_field("Content-Type", "must be application/json")
    raw = await read_bytes(request, MAX_BODY_BYTES)
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise refused_field("body", f"is not JSON: {error.msg}", code="INVALID_JSON") from None
    if not isinstance(body, dict):
        raise refused_field("body", "is not a JSON object")
    return body
