"""From what a caller wrote to a request: refusals, seals and digests."""

import json
from functools import partial
from typing import Any

import pytest

from orchestrator.domain import (
    ErrorType,
    GetAccountsParams,
    Lane,
    Operation,
    OperationError,
    RequestRefused,
    SealedExchange,
    StoreError,
)
from orchestrator.intake import Intake, new_request_id, operation_named, refused_field
from orchestrator.vault import VaultCipher

CIPHER = VaultCipher({"a": b"\x01" * 32}, "a")
INTAKE = Intake(CIPHER, providers=frozenset({"plaid", "mx"}), regions=frozenset({"US", "MX"}))
SPACE: dict[str, object] = {"spaceId": "space_1"}
SECRET = "public-s3cret"


def exchange(token: object, **envelope: Any) -> Any:
    """An exchange's request."""
    params = {**SPACE, "linkSessionId": "lks_1", "temporaryToken": token}
    return INTAKE.request(
        Operation.EXCHANGE_TOKEN, params, **{"idempotency_key": "key-1", **envelope}
    )


def refused(operation: Operation, params: object, **envelope: Any) -> OperationError:
    """The error that a request is refused with."""
    with pytest.raises(RequestRefused) as refusal:
        INTAKE.request(operation, params, **envelope)  # type: ignore[arg-type]
    return refusal.value.error


def test_a_plain_request_takes_the_contracts_defaults() -> None:
    """US, thirty seconds, interactive, and an id of ours."""
    request = INTAKE.request(Operation.GET_ACCOUNTS, SPACE)

    assert request.params == GetAccountsParams(space_id="space_1")
    assert (request.region, request.deadline_ms, request.lane) == ("US", 30_000, Lane.INTERACTIVE)
    assert (None, None, None) == (
        request.preferred_provider,
        request.idempotency_key,
        request.spaces,
    )
    assert request.request_id.startswith("req_")
    assert new_request_id() != request.request_id


def test_an_envelope_is_taken_over() -> None:
    """Everything that a caller may say beside the parameters."""
    request = INTAKE.request(
        Operation.GET_ACCOUNTS,
        SPACE,
        request_id="given-1",
        preferred_provider="mx",
        region="MX",
        deadline_ms=100,
        priority="backfill",
        idempotency_key="key",
        caller_id="caller",
        spaces=frozenset({"space_1"}),
        job_id="job",
    )

    assert ("given-1", "mx", "MX", 100) == (
        request.request_id,
        request.preferred_provider,
        request.region,
        request.deadline_ms,
    )
    assert (Lane.BACKFILL, "key", "caller", "job") == (
        request.lane,
        request.idempotency_key,
        request.caller_id,
        request.job_id,
    )
    assert frozenset({"space_1"}) == request.spaces


@pytest.mark.parametrize(
    ("envelope", "field"),
    [
        ({"preferred_provider": "stripe"}, "preferredProvider"),
        ({"region": "us"}, "region"),
        ({"deadline_ms": 99}, "deadlineMs"),
        ({"deadline_ms": 600_001}, "deadlineMs"),
        ({"deadline_ms": True}, "deadlineMs"),
        ({"deadline_ms": 1000.0}, "deadlineMs"),
        ({"priority": "urgent"}, "priority"),
        ({"request_id": ""}, "X-Request-Id"),
        ({"request_id": "x" * 129}, "X-Request-Id"),
        ({"request_id": "a b"}, "X-Request-Id"),
        ({"request_id": "ü"}, "X-Request-Id"),
        ({"idempotency_key": ""}, "Idempotency-Key"),
        ({"idempotency_key": "x" * 256}, "Idempotency-Key"),
        ({"idempotency_key": "a\nb"}, "Idempotency-Key"),
    ],
)
def test_each_refusal_names_its_field(envelope: dict[str, Any], field: str) -> None:
    """422 for the first field that is wrong, by the name that the caller wrote."""
    error = refused(Operation.GET_ACCOUNTS, SPACE, **envelope)

    assert (ErrorType.VALIDATION, "INVALID_FIELD") == (error.type, error.code)
    assert error.message.startswith(f"{field}: ")


@pytest.mark.parametrize(
    ("operation", "params", "field"),
    [
        ("getAccounts", {}, "params.spaceId"),
        ("getAccounts", [], "params"),
        ("getAccounts", {**SPACE, "accountId": "a"}, "params.accountId"),
        ("createLink", {**SPACE, "language": "fr"}, "params.language"),
        ("syncTransactions", {**SPACE, "limit": 0}, "params.limit"),
        ("syncTransactions", {**SPACE, "startDate": "soon"}, "params.startDate"),
        ("syncTransactions", {**SPACE, "cursor": "c", "startDate": "2025-01-01"}, "params"),
    ],
)
def test_each_wrong_parameter_is_named(operation: str, params: object, field: str) -> None:
    """By its path in the body, in words for people."""
    message = refused(Operation(operation), params).message

    assert message.startswith(f"{field}: ")
    assert "Value error" not in message


@pytest.mark.parametrize(
    "token",
    [
        {SECRET + "!": "x"},
        {"apiKey": SECRET * 999},
        {"apiKey": [SECRET]},
        [SECRET],
        SECRET * 999,
        {},
        "",
        7,
    ],
)
def test_a_refused_token_is_not_repeated(token: object) -> None:
    """The field is named; neither a value nor a form's own name is told."""
    message = refused(
        Operation.EXCHANGE_TOKEN,
        {**SPACE, "linkSessionId": "lks_1", "temporaryToken": token},
        idempotency_key="key-1",
    ).message

    assert message.startswith("params.temporaryToken: is neither a text")
    assert SECRET not in message


def test_a_missing_token_is_named() -> None:
    """As any other field that must be there."""
    error = refused(
        Operation.EXCHANGE_TOKEN, {**SPACE, "linkSessionId": "lks_1"}, idempotency_key="k"
    )

    assert error.message == "params.temporaryToken: Field required"


@pytest.mark.parametrize("value", [SECRET, f"{SECRET} {SECRET}"])
def test_no_refusal_repeats_a_value(value: str) -> None:
    """A secret in a wrong place stays untold, whichever field it was put into."""
    errors = [
        refused(Operation.GET_ACCOUNTS, SPACE, preferred_provider=value),
        refused(Operation.GET_ACCOUNTS, SPACE, region=value),
        refused(Operation.GET_ACCOUNTS, SPACE, priority=value),
        refused(Operation.GET_ACCOUNTS, SPACE, request_id=value + " "),
        refused(Operation.GET_ACCOUNTS, SPACE, idempotency_key=value + " "),
        refused(Operation.GET_ACCOUNTS, {"spaceId": value + " "}),
        refused(Operation.SYNC_TRANSACTIONS, {**SPACE, "startDate": value}),
        refused(Operation.SYNC_TRANSACTIONS, {**SPACE, "limit": value}),
        refused(Operation.CREATE_LINK, {**SPACE, "redirectUri": value}),
    ]

    assert [error.message for error in errors if SECRET in repr(error)] == []


def test_an_exchange_needs_an_idempotency_key() -> None:
    """422, with the reason in its code."""
    error = refused(Operation.EXCHANGE_TOKEN, SPACE)

    assert (ErrorType.VALIDATION, "IDEMPOTENCY_KEY_REQUIRED") == (error.type, error.code)
    assert error.message.startswith("Idempotency-Key: ")


@pytest.mark.parametrize(
    ("token", "parts"),
    [(SECRET, {"token": SECRET}), ({"apiKey": "k", "apiSecret": SECRET}, None)],
)
def test_a_token_is_sealed_for_its_link_session(
    token: object, parts: dict[str, str] | None
) -> None:
    """Nothing readable is left; it opens with the cipher, for that session and no other."""
    request = exchange(token)
    sealed = request.params

    assert isinstance(sealed, SealedExchange)
    assert ("space_1", "lks_1") == (sealed.space_id, sealed.link_session_id)
    assert SECRET not in repr(request)
    assert SECRET.encode() not in sealed.sealed_token
    assert (parts or token) == json.loads(CIPHER.open(sealed.sealed_token, associated="lks_1"))
    with pytest.raises(StoreError):
        CIPHER.open(sealed.sealed_token, associated="lks_2")


def test_equal_bodies_have_equal_digests() -> None:
    """However they are spelled: order, defaults written out, names of Python, ids of the request."""
    spelled = [
        INTAKE.request(  # type: ignore[arg-type]
            Operation.SYNC_TRANSACTIONS, params, idempotency_key="key", **envelope
        )
        for params, envelope in [
            ({"spaceId": "s", "startDate": "2025-01-01"}, {}),
            ({"startDate": "2025-01-01", "spaceId": "s"}, {"request_id": "other"}),
            ({"spaceId": "s", "startDate": "2025-01-01", "limit": 10_000}, {"region": "US"}),
            ({"space_id": "s", "start_date": "2025-01-01"}, {"deadline_ms": 30_000}),
        ]
    ]

    assert len({request.body_mac for request in spelled}) == 1
    assert exchange(SECRET).body_mac == exchange(SECRET).body_mac


def test_other_bodies_have_other_digests() -> None:
    """Any parameter, any part of the envelope, and the token, which stays unreadable."""
    keyed = partial(INTAKE.request, Operation.GET_ACCOUNTS, idempotency_key="key")
    bodies = [
        keyed(SPACE),
        keyed({"spaceId": "space_2"}),
        keyed({**SPACE, "allowStale": True}),
        keyed(SPACE, preferred_provider="mx"),
        keyed(SPACE, region="MX"),
        keyed(SPACE, deadline_ms=100),
        keyed(SPACE, priority="backfill"),
        exchange(SECRET),
        exchange(SECRET + "x"),
        exchange({"token": SECRET}),
        exchange({"apiKey": SECRET}),
    ]

    assert len(bodies) == len({request.body_mac for request in bodies})
    assert all(SECRET not in request.body_mac for request in bodies)


def test_digests_are_keyed() -> None:
    """Whoever holds a digest but no key cannot try tokens against it."""
    other = Intake(
        VaultCipher({"a": b"\x02" * 32}, "a"), providers=frozenset(), regions=frozenset({"US"})
    )

    assert (
        INTAKE.request(Operation.GET_ACCOUNTS, SPACE, idempotency_key="key").body_mac
        != other.request(Operation.GET_ACCOUNTS, SPACE, idempotency_key="key").body_mac
    )


def test_operations_are_known_by_their_name() -> None:
    """An unknown one is 404 and is told the four there are, but not what was asked."""
    with pytest.raises(RequestRefused) as refusal:
        operation_named("stealTokens")
    error = refusal.value.error

    assert operation_named("getAccounts") is Operation.GET_ACCOUNTS
    assert (ErrorType.NOT_FOUND, "UNKNOWN_OPERATION") == (error.type, error.code)
    assert all(operation in error.message for operation in Operation)
    assert "stealTokens" not in error.message


def test_a_refusal_of_a_field_can_carry_a_code_of_its_own() -> None:
    """Edges that check more than this refuse in the same words."""
    error = refused_field("body", "is not JSON", code="INVALID_JSON").error

    assert OperationError(ErrorType.VALIDATION, "INVALID_JSON", "body: is not JSON") == error
