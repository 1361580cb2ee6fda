"""`POST /v1/operations/{operation}` and `POST /v1/batch`."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from functools import partial
from typing import Final, TypeVar, cast

import orjson
import structlog
from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from orchestrator.access import Caller
from orchestrator.domain import (
    DEFAULT_DEADLINE_MS,
    CreateLinkParams,
    EncodedData,
    ErrorType,
    ExchangeTokenParams,
    GetAccountsParams,
    Json,
    Lane,
    Operation,
    OperationError,
    OperationRequest,
    OperationResult,
    RequestRefused,
    SyncTransactionsParams,
    data_wire,
    to_wire,
)
from orchestrator.intake import DEFAULT_REGION, new_request_id, operation_named, refused_field

from .bodies import BatchBody, OperationBody, read_json_object
from .callers import caller_of, service_of
from .direct import Answer
from .problem import internal_body, problem, problem_body, status_of

__all__ = ["ANSWERS", "ENVELOPE", "router"]

router = APIRouter(tags=["operations"])

ENVELOPE = ("params", "preferredProvider", "region", "deadlineMs", "priority")
_BATCH_ONLY = ("operation", "idempotencyKey")
_WAVE: Final = 32
R = TypeVar("R")
_log = structlog.get_logger("web")

_BODIES: Mapping[Operation, type[BaseModel]] = {
    Operation.CREATE_LINK: OperationBody[CreateLinkParams],
    Operation.EXCHANGE_TOKEN: OperationBody[ExchangeTokenParams],
    Operation.GET_ACCOUNTS: OperationBody[GetAccountsParams],
    Operation.SYNC_TRANSACTIONS: OperationBody[SyncTransactionsParams],
}

_HEADERS: Final = [
    {
        "name": name,
        "in": "header",
        "required": False,
        "schema": {"type": "string", "minLength": 1, "maxLength": longest},
        "description": what,
    }
    for name, longest, what in (
        ("Idempotency-Key", 255, "Required for exchangeToken; the same key, the same answer."),
        ("X-Request-Id", 128, "Taken when given, else made; always answered."),
    )
]
"""Read by hand and only described here: FastAPI's reading of them cost as much as all the rest."""


def request_from(
    request: Request,
    caller: Caller,
    operation: Operation,
    body: Mapping[str, object],
    *,
    idempotency_key: str | None,
    request_id: str,
) -> OperationRequest:
    """A validated request out of a body's envelope.

    Raises:
        RequestRefused: `validation`, naming the field; `not_found` for another key's space.

    """
    unknown = [name for name in body if name not in ENVELOPE]
    if unknown:
        raise refused_field(unknown[0], f"is not one of {', '.join(ENVELOPE)}")
    params = body.get("params")
    if not isinstance(params, dict):
        raise refused_field("params", "is missing or is not an object")
    return service_of(request).intake.request(
        operation,
        params,
        request_id=request_id,
        preferred_provider=_optional_text(body, "preferredProvider"),
        region=_text(body, "region", DEFAULT_REGION),
        deadline_ms=_whole(body, "deadlineMs", DEFAULT_DEADLINE_MS),
        priority=_text(body, "priority", Lane.INTERACTIVE),
        idempotency_key=idempotency_key,
        caller_id=caller.caller_id,
        spaces=caller.spaces,
    )


def _optional_text(body: Mapping[str, object], name: str) -> str | None:
    value = body.get(name)
    if value is not None and not isinstance(value, str):
        raise refused_field(name, "is not a string")
    return value


def _text(body: Mapping[str, object], name: str, default: str) -> str:
    value = _optional_text(body, name)
    return default if value is None else value


def _whole(body: Mapping[str, object], name: str, default: int) -> int:
    value = body.get(name)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int):
        raise refused_field(name, "is not a whole number")
    return value


def result_wire(result: OperationResult) -> tuple[int, dict[str, Json]]:
    """HTTP status and body of a result."""
    attempts = to_wire(result.attempts)
    decision = to_wire(result.decision)
    if result.error is not None:
        extra = {
            "operation": result.operation.value,
            "attempts": attempts,
            "decision": decision,
        }
        return status_of(result.error), problem_body(result.error, result.request_id, extra)
    data: Json = None
    if isinstance(result.data, EncodedData):
        # JSON already: orjson puts it in as it is.
        data = cast("Json", orjson.Fragment(result.data.json))
    elif result.data is not None:
        data = data_wire(result.data)
    return 200, {
        "success": True,
        "requestId": result.request_id,
        "operation": result.operation.value,
        "provider": result.provider,
        "failoverUsed": result.failover_used,
        "data": data,
        "attempts": attempts,
        "decision": decision,
    }


def _answer(result: OperationResult, request_id: str) -> Response:
    status, body = result_wire(result)
    headers = {"X-Request-Id": request_id}
    if result.replayed:
        headers["Idempotent-Replayed"] = "true"
    if result.error is not None:
        extra = {name: body[name] for name in ("operation", "attempts", "decision")}
        response = problem(result.error, result.request_id, extra)
        response.headers.update(headers)
        return response
    return Response(orjson.dumps(body), status, headers, "application/json")


async def _operate(request: Request, operation: Operation) -> Response:
    caller = caller_of(request)
    body = await read_json_object(request)
    request_id = request.state.request_id
    valid = request_from(
        request,
        caller,
        operation,
        body,
        idempotency_key=request.headers.get("idempotency-key"),
        request_id=request_id,
    )
    return _answer(await service_of(request).execute(valid), request_id)


ANSWERS: Mapping[str, Answer] = {
    f"/v1/operations/{operation.value}": partial(_operate, operation=operation)
    for operation in Operation
}
"""What answers each operation, by path."""


def _register(operation: Operation) -> None:
    """A route an operation, so that OpenAPI shows each with its own parameters."""

    async def operate(request: Request) -> Response:
        return await _operate(request, operation)

    router.add_api_route(
        f"/v1/operations/{operation.value}",
        operate,
        methods=["POST"],
        name=operation.value,
        summary=operation.value,
        openapi_extra={
            "parameters": _HEADERS,
            "requestBody": {
                "required": True,
                "content": {
                    "application/json": {
                        "schema": _BODIES[operation].model_json_schema(
                            ref_template="#/components/schemas/{model}"
                        )
                    }
                },
            },
        },
    )


for _operation in Operation:
    _register(_operation)


@router.post("/v1/operations/{operation}", include_in_schema=False)
async def unknown_operation(request: Request, operation: str) -> Response:
    """Answer 404 for any other operation, naming those there are."""
    caller_of(request)
    operation_named(operation)
    raise RequestRefused(
        OperationError(ErrorType.NOT_FOUND, "UNKNOWN_OPERATION", "there is no such operation")
    )


@router.post(
    "/v1/batch",
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": BatchBody.model_json_schema()}},
        }
    },
)
async def batch(request: Request) -> Response:
    """Serve 1 to 1000 operations; each item answers for itself, in order."""
    caller = caller_of(request)
    body = await read_json_object(request)
    unknown = [name for name in body if name != "operations"]
    if unknown:
        raise refused_field(unknown[0], "is not known here; a batch has operations only")
    items = body.get("operations")
    if not isinstance(items, list) or not 1 <= len(items) <= 1000:
        raise refused_field("operations", "is not a list of 1 to 1000 items")
    results = await _in_waves([partial(_batch_item, request, caller, item) for item in items])
    return Response(orjson.dumps({"results": results}), media_type="application/json")


async def _in_waves(work: Sequence[Callable[[], Coroutine[None, None, R]]]) -> list[R]:
    """All at once, begun a few at a time, so that the first are at work while the last begin."""
    async with asyncio.TaskGroup() as group:
        tasks = []
        for number, each in enumerate(work, start=1):
            tasks.append(group.create_task(each()))
            if number % _WAVE == 0:
                await asyncio.sleep(0)
    return [task.result() for task in tasks]


async def _batch_item(request: Request, caller: Caller, item: object) -> dict[str, Json]:
    request_id = new_request_id()
    try:
        valid = _item_request(request, caller, item, request_id)
        status, body = result_wire(await service_of(request).execute(valid))
    except RequestRefused as refusal:
        status = status_of(refusal.error)
        body = problem_body(refusal.error, request_id)
    except Exception as error:  # noqa: BLE001  one item's failure is its own
        _log.error("unexpected_error", request_id=request_id, exc_info=error)
        status, body = 500, internal_body(request_id)
    return {"status": status, **body}


def _item_request(
    request: Request, caller: Caller, item: object, request_id: str
) -> OperationRequest:
    if not isinstance(item, dict):
        raise refused_field("operations", "holds an item that is not an object")
    named = _optional_text(item, "operation")
    if named is None:
        raise refused_field("operation", "is missing")
    return request_from(
        request,
        caller,
        operation_named(named),
        {name: value for name, value in item.items() if name not in _BATCH_ONLY},
        idempotency_key=_optional_text(item, "idempotencyKey"),
        request_id=request_id,
    )
