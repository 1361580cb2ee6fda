"""Which connections of a space could answer a read, at most one a provider.

A read may move only between connections to the same institution login. Two connections show the
same login when an account was matched in both; one that was never read may, and is checked when it
answers.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from orchestrator.domain import ErrorType, OperationError, RequestRefused

__all__ = ["LinkedConnection", "ReadTarget", "Resolution", "resolve_read"]


@dataclass(frozen=True, slots=True)
class LinkedConnection:
    """A connection as the choice sees it; `account_ids` is None until it was first read."""

    connection_id: str
    provider: str
    region: str
    institution_id: str
    needs_user: bool
    account_ids: frozenset[str] | None
    created_at_s: float


@dataclass(frozen=True, slots=True)
class ReadTarget:
    """What the caller asked to read; all None means the space's only institution."""

    account_id: str | None = None
    institution_id: str | None = None
    connection_id: str | None = None


@dataclass(frozen=True, slots=True)
class Resolution:
    """Where a read can go.

    `by_provider` in priority order. `sibling_account_ids`: what a connection that was never read
    must show at least one of; None where there is nothing to compare with.
    """

    region: str
    institution_id: str
    by_provider: dict[str, LinkedConnection]
    sibling_account_ids: frozenset[str] | None


def _not_found(code: str, message: str) -> RequestRefused:
    return RequestRefused(OperationError(ErrorType.NOT_FOUND, code, message))


def resolve_read(
    connections: Sequence[LinkedConnection],
    target: ReadTarget,
    priority: dict[str, tuple[str, ...]],
) -> Resolution:
    """Choose the connections that could answer.

    Args:
        connections: all of the space.
        target: what was asked for.
        priority: provider order by region.

    Raises:
        RequestRefused: `not_found` where nothing is linked or known, `validation` where the target
            names too little.

    """
    if not connections:
        raise _not_found(
            "NOTHING_LINKED", "this space has no connection: createLink, then exchangeToken"
        )
    wanted = _wanted(connections, target)
    # A connection that has shown accounts leads: the others are compared with it.
    first = min(wanted, key=lambda linked: (not linked.account_ids, *_rank(linked, priority)))
    login = [linked for linked in wanted if linked is first or _may_be_same_login(first, linked)]
    by_provider: dict[str, LinkedConnection] = {}
    for linked in sorted(login, key=lambda linked: _rank(linked, priority)):
        by_provider.setdefault(linked.provider, linked)
    return Resolution(
        region=first.region,
        institution_id=first.institution_id,
        by_provider=by_provider,
        sibling_account_ids=first.account_ids or None,
    )


def _wanted(
    connections: Sequence[LinkedConnection], target: ReadTarget
) -> Sequence[LinkedConnection]:
    chosen = list(connections)
    if target.connection_id is not None:
        chosen = [c for c in chosen if c.connection_id == target.connection_id]
        if not chosen:
            raise _not_found("UNKNOWN_CONNECTION", "this space has no such connection")
    if target.institution_id is not None:
        chosen = [c for c in chosen if c.institution_id == target.institution_id]
        if not chosen:
            raise _not_found("NOT_LINKED", "this space has no connection to that institution")
    if target.account_id is not None:
        return _holders(connections, chosen, target.account_id)
    if len({c.institution_id for c in chosen}) > 1:
        raise RequestRefused(
            OperationError(
                ErrorType.VALIDATION,
                "SEVERAL_INSTITUTIONS",
                "params: this space is linked to several institutions: name an institutionId, "
                "a connectionId or, for transactions, an accountId",
            )
        )
    return chosen


def _holders(
    connections: Sequence[LinkedConnection], chosen: list[LinkedConnection], account_id: str
) -> list[LinkedConnection]:
    """Those of the chosen that hold the account, or may: not read yet, at its institution."""
    institutions = {c.institution_id for c in connections if _holds(c, account_id)}
    holders = [
        c
        for c in chosen
        if _holds(c, account_id) or (c.account_ids is None and c.institution_id in institutions)
    ]
    if not holders:
        raise _not_found("UNKNOWN_ACCOUNT", "no connection of this space holds that account")
    return holders


def _holds(linked: LinkedConnection, account_id: str) -> bool:
    return linked.account_ids is not None and account_id in linked.account_ids


def _rank(
    linked: LinkedConnection, priority: dict[str, tuple[str, ...]]
) -> tuple[int, bool, bool, float, str]:
    order = priority.get(linked.region, ())
    place = order.index(linked.provider) if linked.provider in order else len(order)
    return (
        place,
        linked.needs_user,
        linked.account_ids is None,
        -linked.created_at_s,
        linked.connection_id,
    )


def _may_be_same_login(first: LinkedConnection, other: LinkedConnection) -> bool:
    if first.institution_id != other.institution_id:
        return False
    if first.account_ids is None or other.account_ids is None:
        return True
    return bool(first.account_ids & other.account_ids)
