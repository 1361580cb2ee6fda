"""Connections of a space, and the institution catalogue."""

import re

import orjson
from fastapi import APIRouter, Request, Response

from orchestrator.domain import IDENTIFIER, ErrorType, OperationError, RequestRefused

from .callers import caller_of, service_of

__all__ = ["router"]

router = APIRouter(prefix="/v1", tags=["connections"])


def _unknown(what: str, code: str) -> RequestRefused:
    return RequestRefused(OperationError(ErrorType.NOT_FOUND, code, f"there is no such {what}"))


@router.get("/spaces/{space_id}/connections")
async def connections(request: Request, space_id: str) -> Response:
    """A space's connections, without secrets."""
    caller = caller_of(request)
    rows = None
    if caller.may_see(space_id) and re.fullmatch(IDENTIFIER, space_id):
        rows = await service_of(request).connections(space_id)
    if rows is None:
        raise _unknown("space", "UNKNOWN_SPACE")
    return Response(orjson.dumps({"connections": rows}), media_type="application/json")


@router.delete("/connections/{connection_id}", status_code=204)
async def disconnect(request: Request, connection_id: str) -> Response:
    """Revoke a connection at its provider, then erase its credential."""
    caller = caller_of(request)
    if not (
        re.fullmatch(IDENTIFIER, connection_id)
        and await service_of(request).disconnect(connection_id, caller.spaces)
    ):
        raise _unknown("connection", "UNKNOWN_CONNECTION")
    return Response(status_code=204)


@router.get("/institutions")
async def institutions(request: Request, region: str | None = None, q: str = "") -> Response:
    """Institutions of the catalogue, by region and by part of their name."""
    caller_of(request)
    rows = service_of(request).institutions(region, q)
    return Response(orjson.dumps({"institutions": rows}), media_type="application/json")
