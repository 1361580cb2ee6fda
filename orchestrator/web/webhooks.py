"""`POST /v1/webhooks/{provider}`: free of API keys, as each provider proves itself in its own way.

Nothing of what comes in is read here, told to anybody, or logged.
"""

from typing import Final

from fastapi import APIRouter, Request, Response

from .bodies import read_bytes
from .callers import service_of

__all__ = ["MOST_WEBHOOK_BYTES", "router"]

MOST_WEBHOOK_BYTES: Final = 256 * 1024
_ARRIVES_WITHIN_S: Final = 10.0

router = APIRouter(prefix="/v1", tags=["webhooks"])


@router.post(
    "/webhooks/{provider}",
    status_code=202,
    openapi_extra={"requestBody": {"required": True, "content": {"*/*": {}}}},
)
async def webhook(request: Request, provider: str) -> Response:
    """Take in what a provider reports: new data to read, or a connection that needs its user."""
    body = await read_bytes(request, MOST_WEBHOOK_BYTES, within_s=_ARRIVES_WITHIN_S)
    # Of a header that comes twice, the first counts.
    headers = dict(reversed(request.headers.items()))
    await service_of(request).webhook(provider, headers, body)
    return Response(b'{"accepted":true}', 202, media_type="application/json")
