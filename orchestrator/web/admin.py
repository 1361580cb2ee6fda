"""`/admin`: what the system is doing, why it did it, and the operator's switches."""

import orjson
from fastapi import APIRouter, Request, Response
from pydantic import ValidationError

from orchestrator.domain import ErrorType, Json, OperationError, RequestRefused
from orchestrator.intake import refused_field

from .bodies import CircuitBody, read_json_object
from .callers import admin_of, service_of

__all__ = ["router"]

router = APIRouter(prefix="/admin", tags=["admin"])


def _json(value: Json) -> Response:
    return Response(orjson.dumps(value), media_type="application/json")


@router.get("/stats")
async def stats(request: Request) -> Response:
    """Health of every provider, failover frequency, circuit changes, model and log."""
    admin_of(request)
    return _json(await service_of(request).stats())


@router.get("/requests/{request_id}")
async def story(request: Request, request_id: str) -> Response:
    """The whole story of one request."""
    admin_of(request)
    told = await service_of(request).story(request_id)
    if told is None:
        raise RequestRefused(
            OperationError(
                ErrorType.NOT_FOUND, "UNKNOWN_REQUEST", "no request of that id is in the log"
            )
        )
    return _json(told)


@router.post(
    "/providers/{provider}/circuit",
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": CircuitBody.model_json_schema()}},
        }
    },
)
async def circuit(request: Request, provider: str) -> Response:
    """Hold a provider's circuits open or closed, or hand them back with AUTO."""
    admin_of(request)
    raw = await read_json_object(request)
    try:
        body = CircuitBody.model_validate(raw)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise refused_field(str(first["loc"][0]), str(first["msg"])) from None
    return _json(await service_of(request).force_circuit(provider, body.state, body.reason))


@router.post("/attempts/query")
async def attempts(request: Request) -> Response:
    """Rows of the attempt log for one SELECT."""
    admin_of(request)
    body = await read_json_object(request)
    sql = body.get("sql")
    if not isinstance(sql, str) or not sql.strip():
        raise refused_field("sql", "is missing or is not a string")
    return _json({"rows": await service_of(request).attempts(sql)})


@router.get("/models")
async def models(request: Request) -> Response:
    """Every trained model, and which one is active."""
    admin_of(request)
    return _json(service_of(request).models())


@router.post("/models/{version}/activate")
async def activate(request: Request, version: str) -> Response:
    """Make a trained model the active one; running routers take it up within seconds."""
    admin_of(request)
    return _json(await service_of(request).activate(version))
