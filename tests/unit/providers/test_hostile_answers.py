"""Adapters against answers that were tampered with anywhere."""

import asyncio
import copy
import json
from collections.abc import Coroutine

import belvo_payloads
import bitso_payloads
import finicity_payloads
import httpx
import mx_payloads
import plaid_payloads
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scripted_vendor import (
    Giant,
    ScriptedVendor,
    accounts_request,
    exchange_request,
    failure_of,
    link_request,
    transactions_request,
)

from orchestrator.domain import ProviderFailure, decimal_text
from orchestrator.providers.http import MAX_ANSWER_BYTES
from orchestrator.providers.protocol import AccountsRead, FinancialProvider, TransactionsRead

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(["", "x", "-1", "2026-03-01", "1e999999", "9" * 40, "\x00", "\ud800", "é"])
    | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=6,
)

PLAID_BODIES = {
    "link": [{"link_token": "t", "expiration": "2026-03-18T19:30:00Z", "request_id": "r"}],
    "exchange": [
        {"access_token": "a", "item_id": "i", "request_id": "r"},
        {"item": plaid_payloads.item(), "request_id": "r"},
    ],
    "accounts": [plaid_payloads.accounts(plaid_payloads.account())],
    "transactions": [
        plaid_payloads.sync(
            [plaid_payloads.movement("t1")],
            modified=[plaid_payloads.movement("t2")],
            removed=[plaid_payloads.gone("t3")],
        )
    ],
}
MX_BODIES = {
    "link": [mx_payloads.user(), {"widget_url": {"type": "connect_widget", "url": "https://w"}}],
    "exchange": [mx_payloads.member()],
    # Of a member whose data are old: it is asked for, looked at, and then read.
    "accounts": [
        mx_payloads.member(successfully_aggregated_at=None, aggregated_at=None),
        mx_payloads.member(is_being_aggregated=True),
        mx_payloads.member(),
        mx_payloads.page("accounts", [mx_payloads.account()]),
    ],
    "transactions": [
        mx_payloads.member(),
        mx_payloads.page("transactions", [mx_payloads.movement("TRN-1")]),
    ],
}
BELVO_BODIES = {
    "link": [{"access": "a", "refresh": "r"}],
    "exchange": [belvo_payloads.link()],
    "accounts": [belvo_payloads.link(), belvo_payloads.page([belvo_payloads.account()])],
    "transactions": [
        belvo_payloads.link(),
        belvo_payloads.page([belvo_payloads.movement("t1", merchant={"merchant_name": "m"})]),
    ],
}
FINICITY_BODIES = {
    "link": [finicity_payloads.customer(), {"link": finicity_payloads.LINK}],
    "exchange": [finicity_payloads.accounts(finicity_payloads.account())],
    "accounts": [finicity_payloads.accounts(finicity_payloads.account())],
    "transactions": [
        finicity_payloads.accounts(finicity_payloads.account()),
        finicity_payloads.page(
            [finicity_payloads.movement(1), finicity_payloads.movement(2, status="shadow")]
        ),
    ],
}
BITSO_BODIES = {
    "exchange": [bitso_payloads.success(bitso_payloads.status())],
    "accounts": [bitso_payloads.balances(bitso_payloads.balance("mxn", "1.50"))],
    "transactions": [
        bitso_payloads.success(
            [
                bitso_payloads.trade("e1"),
                bitso_payloads.fee("e2", "0.1"),
                bitso_payloads.funding("e3", "f3"),
            ]
        ),
        bitso_payloads.success([bitso_payloads.transfer("fundings", "f1", "pending")]),
        bitso_payloads.success([bitso_payloads.transfer("withdrawals", "w1", "processing")]),
        bitso_payloads.success([bitso_payloads.funding("e3", "f3")]),
    ],
}
BODIES = {
    "plaid": PLAID_BODIES,
    "mx": MX_BODIES,
    "finicity": FINICITY_BODIES,
    "belvo": BELVO_BODIES,
    "bitso": BITSO_BODIES,
}
CREDENTIALS = {
    "plaid": plaid_payloads.CREDENTIAL,
    "mx": mx_payloads.CREDENTIAL,
    "finicity": finicity_payloads.CREDENTIAL,
    "belvo": belvo_payloads.CREDENTIAL,
    "bitso": bitso_payloads.CREDENTIAL,
}
TOKENS = {
    "plaid": "public-1",
    "mx": mx_payloads.MEMBER_GUID,
    "finicity": finicity_payloads.LOGIN_ID,
    "belvo": belvo_payloads.LINK_ID,
    "bitso": bitso_payloads.FORM,
}
CASES = [(provider, operation) for provider, bodies in BODIES.items() for operation in bodies]

EVERY_CALL = [
    (provider, operation, number)
    for provider, operation in CASES
    for number in range(len(BODIES[provider][operation]))
    if (provider, operation, number) != ("plaid", "exchange", 1)
]
"""Each answer without which an operation has no result, by its place in the script.

What Plaid's Item says beside its exchange is none of them.
"""
UNREADABLE = {
    "html": b"<!DOCTYPE html><html><body>Welcome</body></html>",
    "empty": b"",
    "not utf-8": b'{"\xff\xfe": 1}',
    "truncated": b'{"accounts": [{"id": "1", "na',
    "a text": b'"ok"',
    "deep": b'{"accounts":' + b"[" * 200_000,
    "a huge number": b'{"accounts": 1e99999999999999999999}',
}


def places(value: object, path: tuple[object, ...] = ()) -> list[tuple[object, ...]]:
    """Every place within a JSON value, itself included."""
    inner: list[tuple[object, ...]] = [path]
    if isinstance(value, dict):
        for name, child in value.items():
            inner += places(child, (*path, name))
    elif isinstance(value, list):
        for index, child in enumerate(value):
            inner += places(child, (*path, index))
    return inner


def put(value: object, path: tuple[object, ...], new: object, *, remove: bool) -> object:
    """The value with one place replaced or taken out."""
    if not path:
        return new
    changed = copy.deepcopy(value)
    at = changed
    for step in path[:-1]:
        at = at[step]  # type: ignore[index]
    if remove:
        del at[path[-1]]  # type: ignore[attr-defined]
    else:
        at[path[-1]] = new  # type: ignore[index]
    return changed


def call(
    adapter: FinancialProvider, provider: str, operation: str
) -> Coroutine[object, object, object]:
    """One operation of an adapter."""
    credential = CREDENTIALS[provider]
    match operation:
        case "link":
            return adapter.create_link(link_request())
        case "exchange":
            state = {
                "user_guid": mx_payloads.USER_GUID,
                "customer_id": finicity_payloads.CUSTOMER_ID,
            }
            return adapter.exchange_token(exchange_request(TOKENS[provider], **state))
        case "accounts":
            return adapter.get_accounts(accounts_request(credential))
        case _:
            return adapter.sync_transactions(transactions_request(credential))


@pytest.mark.parametrize(("provider", "operation"), CASES)
async def test_an_untampered_answer_is_a_success(provider: str, operation: str) -> None:
    """The bodies that the tampering starts from are good ones."""
    bodies = [httpx.Response(200, json=body) for body in BODIES[provider][operation]]
    adapter = getattr(ScriptedVendor(*bodies), provider)()

    assert await call(adapter, provider, operation) is not None


def answering(
    provider: str, operation: str, number: int, hostile: httpx.Response
) -> FinancialProvider:
    """An adapter whose vendor answers well but for one time."""
    answers = [httpx.Response(200, json=body) for body in BODIES[provider][operation]]
    answers[number] = hostile
    adapter: FinancialProvider = getattr(ScriptedVendor(*answers), provider)()
    return adapter


@pytest.mark.parametrize(("provider", "operation", "number"), EVERY_CALL)
@pytest.mark.parametrize("kind", UNREADABLE)
async def test_an_unreadable_answer_is_classified_at_every_call(
    kind: str, provider: str, operation: str, number: int
) -> None:
    """A 200 with anything but the documented body is the provider's failure."""
    hostile = httpx.Response(200, content=UNREADABLE[kind])
    adapter = answering(provider, operation, number, hostile)

    failure = await failure_of(call(adapter, provider, operation))

    assert ("provider_down", "MALFORMED") == (failure.error_class, failure.code)


@pytest.mark.parametrize("status", [200, 404, 503])
@pytest.mark.parametrize(("provider", "operation", "number"), EVERY_CALL)
async def test_a_gigantic_answer_is_left_after_its_bound_at_every_call(
    provider: str, operation: str, number: int, status: int
) -> None:
    """Of fifty megabytes no more than the bound and a chunk are taken, whatever the status."""
    giant = Giant()
    adapter = answering(provider, operation, number, httpx.Response(status, stream=giant))

    await failure_of(call(adapter, provider, operation))

    assert 0 < giant.taken <= MAX_ANSWER_BYTES + 2 * 256 * 1024


@pytest.mark.parametrize(("provider", "operation", "number"), EVERY_CALL)
async def test_a_redirect_to_another_host_is_refused_at_every_call(
    provider: str, operation: str, number: int
) -> None:
    """Keys and tokens follow no address of an answer."""
    hostile = httpx.Response(307, headers={"Location": "https://evil.test/steal"})

    failure = await failure_of(
        call(answering(provider, operation, number, hostile), provider, operation)
    )

    assert ("provider_down", "FOREIGN_REDIRECT") == (failure.error_class, failure.code)


@pytest.mark.parametrize(("provider", "operation"), CASES)
@settings(max_examples=120, deadline=None, derandomize=True)
@given(data=st.data())
def test_a_tampered_answer_is_read_or_fails_classified(
    provider: str, operation: str, data: st.DataObject
) -> None:
    """Whatever stands wherever, only a classified failure or a usable result comes out."""
    bodies = list(BODIES[provider][operation])
    which = data.draw(st.integers(0, len(bodies) - 1))
    path = data.draw(st.sampled_from(places(bodies[which])))
    remove = bool(path) and data.draw(st.booleans())
    bodies[which] = put(bodies[which], path, data.draw(JSON), remove=remove)
    answers = [httpx.Response(200, content=json.dumps(body).encode()) for body in bodies]
    adapter = getattr(ScriptedVendor(*answers), provider)()

    try:
        result = asyncio.run(call(adapter, provider, operation))
    except ProviderFailure:
        return

    assert result is not None
    repr(result).encode()
    if isinstance(result, TransactionsRead):
        assert len(result.next_cursor) <= 1500
        for row in result.transactions:
            assert len(decimal_text(row.amount)) < 64
    if isinstance(result, AccountsRead):
        for one in result.accounts:
            assert one.balances.current is None or len(decimal_text(one.balances.current)) < 64
