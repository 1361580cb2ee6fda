"""One request, validated: what the edges hand to the router."""

from dataclasses import dataclass, field

from .construction import quick_init
from .params import CreateLinkParams, GetAccountsParams, SyncTransactionsParams
from .vocabulary import Lane, Operation

__all__ = ["DEFAULT_DEADLINE_MS", "OperationRequest", "SealedExchange"]

DEFAULT_DEADLINE_MS = 30_000


@dataclass(frozen=True, slots=True)
class SealedExchange:
    """`exchangeToken`'s parameters once the temporary token is sealed, as it must be from the edge.

    `sealed_token` is a JSON object of the token's parts, sealed for `link_session_id`.
    """

    space_id: str
    link_session_id: str
    sealed_token: bytes = field(repr=False)


@quick_init
@dataclass(frozen=True, slots=True)
class OperationRequest:
    """One request for one operation.

    `caller_id` stands for the API key that asks ("" where there are none); idempotency keys count
    within it. `spaces` are those that key is bound to, None where it is bound to none. `body_mac`
    is a keyed digest of the body, to tell a repeated request from another under the same key.
    """

    request_id: str
    operation: Operation
    params: CreateLinkParams | SealedExchange | GetAccountsParams | SyncTransactionsParams
    region: str
    preferred_provider: str | None = None
    deadline_ms: int = DEFAULT_DEADLINE_MS
    lane: Lane = Lane.INTERACTIVE
    idempotency_key: str | None = None
    body_mac: str = ""
    caller_id: str = ""
    spaces: frozenset[str] | None = None
    job_id: str | None = None
