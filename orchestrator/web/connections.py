"""Connections of a space, and the institution catalogue."""

import re
from typing import Annotated

import orjson
from fastapi import APIRouter, Depends, Query, Request, Response

from orchestrator.domain import IDENTIFIER, ErrorType, OperationError, RequestRefused

from .callers import caller_of, service_of

__all__ = ["router"]

router = APIRouter(prefix="/v1", tags=["connections"])

Region = Annotated[str, Query(pattern=r"^([A-Z]{2})?$", description="ISO 3166-1 alpha-2.")]
Text = Annotated[str, Query(max_length=200, description="Part of a name, in any case.")]


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


@router.get("/institutions", dependencies=[Depends(caller_of)])
async def institutions(
    request: Request,
    region: Region = "",
    q: Text = "",
    limit: Annotated[int, Query(ge=1, le=1000)] = 1000,
    offset: Annotated[int, Query(ge=0, le=1_000_000)] = 0,
) -> Response:
    """Institutions of the catalogue, by region and by part of their name.

    Names that begin with `q` come first. `nextOffset` is null at the end, else where to go on.
    """
    page = service_of(request).institutions(region or None, q, offset=offset, limit=limit)
    return Response(orjson.dumps(page), media_type="application/json")
