"""How values look on the wire."""

import dataclasses
import datetime as dt
import enum
import json
import re
from decimal import Decimal

import examples
import pytest

from orchestrator import domain
from orchestrator.domain import Json, Operation, OperationRequest, Provider, rfc3339, to_wire
from orchestrator.domain.wire import camel

NOT_TRAVELLING = {"EncodedData", "Failure", "OperationRequest", "SealedExchange"}
"""These move between our own processes only, never to a caller."""


class Shape(enum.Enum):
    """An enum that is no text itself."""

    ROUND = 7


def dataclasses_in(value: object) -> set[str]:
    """Names of all dataclasses within a value."""
    if dataclasses.is_dataclass(value):
        fields = [getattr(value, field.name) for field in dataclasses.fields(value)]
        return {type(value).__name__}.union(*map(dataclasses_in, fields))
    if isinstance(value, tuple):
        return set().union(*map(dataclasses_in, value))
    return set()


def names_in(wire: Json) -> set[str]:
    """All member names within JSON data."""
    if isinstance(wire, dict):
        return set(wire).union(*map(names_in, wire.values()))
    if isinstance(wire, list):
        return set().union(*map(names_in, wire))
    return set()


def test_the_examples_hold_every_dataclass_that_travels() -> None:
    """A dataclass that is new in the domain needs an example here."""
    exported = {n for n in domain.__all__ if dataclasses.is_dataclass(getattr(domain, n))}

    assert exported - NOT_TRAVELLING == set().union(*map(dataclasses_in, examples.VALUES))


@pytest.mark.parametrize("value", examples.VALUES, ids=lambda v: type(v).__name__)
def test_every_value_becomes_plain_json_with_camel_names(value: object) -> None:
    """Nothing but JSON's own types, and every name in camelCase."""
    wire = to_wire(value)

    assert wire == json.loads(json.dumps(wire, allow_nan=False))
    assert {n for n in names_in(wire) if not re.fullmatch(r"[a-z][A-Za-z0-9]*", n)} == set()


def test_an_account_reads_as_the_contract_says() -> None:
    """Names, money as text, times as RFC 3339 UTC."""
    assert to_wire(examples.ACCOUNT) == {
        "accountId": "acc_1",
        "institutionId": "ins_chase",
        "name": "Cuenta de nómina",
        "officialName": None,
        "mask": "1234",
        "type": "depository",
        "subtype": "checking",
        "currency": "USD",
        "balances": {"available": "100.10", "current": "0.00", "limit": None},
        "asOf": examples.AT_TEXT,
        "provider": "plaid",
        "connectionId": "con_1",
        "providerAccountId": "p-1",
    }


def test_a_transaction_reads_as_the_contract_says() -> None:
    """Dates stay dates; negative money leaves the account."""
    assert to_wire(examples.TRANSACTION) == {
        "transactionId": "txn_1",
        "accountId": "acc_1",
        "provider": "plaid",
        "providerTransactionId": "p-t-1",
        "date": "2025-02-28",
        "postedAt": examples.AT_TEXT,
        "authorizedDate": "2025-02-28",
        "amount": "-12.30",
        "direction": "out",
        "currency": "USD",
        "description": "Café\nand more",
        "merchantName": None,
        "category": "food_and_drink",
        "pending": False,
        "replacesTransactionId": None,
    }


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        ("createLink", "linkSessionId provider linkToken linkUrl expiresAt linkType fields"),
        ("exchangeToken", "connectionId provider institutionId status warnings"),
        ("getAccounts", "accounts asOf stale"),
        ("syncTransactions", "transactions removed nextCursor hasMore stale"),
    ],
)
def test_each_operations_data_has_the_contracts_members(operation: str, expected: str) -> None:
    """No member more and none less."""
    wire = to_wire(examples.DATA[Operation(operation)])

    assert isinstance(wire, dict)
    assert expected.split() == list(wire)


def test_attempts_and_decision_read_as_the_contract_says() -> None:
    """The story of a request, member by member."""
    assert to_wire(examples.ATTEMPTS[0]) == {
        "attemptId": "a-1",
        "attemptNumber": 1,
        "provider": "plaid",
        "outcome": "provider_down",
        "errorCode": "DOWN",
        "errorScope": "institution",
        "latencyMs": 812.4,
        "waitedMs": 0.5,
        "hedge": False,
    }
    assert to_wire(examples.DECISION) == {
        "policy": "adaptive",
        "modelVersion": None,
        "candidates": [
            {
                "provider": "plaid",
                "score": 0.94,
                "propensity": 0.97,
                "eligible": True,
                "reason": None,
            },
            {
                "provider": "mx",
                "score": None,
                "propensity": 0.0,
                "eligible": False,
                "reason": "circuit_open",
            },
        ],
    }


def test_a_providers_health_reads_as_the_contract_says() -> None:
    """The names with digits in them, too."""
    assert to_wire(examples.HEALTH) == {
        "configured": True,
        "circuitState": "HALF_OPEN",
        "circuits": [
            {
                "scope": "institution:ins_chase",
                "state": "OPEN",
                "openedAt": examples.AT_TEXT,
                "retryAt": None,
            }
        ],
        "successRate24h": 0.998,
        "attempts24h": 1234,
        "avgResponseTimeMs": 210.3,
        "p50Ms": 190.0,
        "p95Ms": 410.0,
        "p99Ms": None,
        "lastError": {"type": "network", "code": "RESET", "message": "cut", "at": examples.AT_TEXT},
        "rateLimit": {"remainingRatio": 0.93, "throttled24h": 3},
    }


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({Provider.MX: [Decimal("1E+2")]}, {"mx": ["100"]}),
        ({1: (True, 2, 1.5, "x", None)}, {"1": [True, 2, 1.5, "x", None]}),
        (dt.date(2025, 1, 2), "2025-01-02"),
        (Shape.ROUND, "7"),
    ],
)
def test_values_are_rendered_within_lists_and_objects(value: object, expected: Json) -> None:
    """Mappings, sequences, enums, money and dates, at any depth."""
    assert expected == to_wire(value)


@pytest.mark.parametrize("value", [b"x", {1}, object(), Decimal, domain.Credential({"a": "b"})])
def test_what_has_no_place_on_the_wire_is_refused(value: object) -> None:
    """Bytes, sets and credentials never slip out as some text."""
    with pytest.raises(TypeError, match="no place on the wire"):
        to_wire([value])


def test_a_times_zone_is_told_as_utc() -> None:
    """Another zone's time is the same instant in UTC, to the millisecond."""
    mexico = dt.timezone(dt.timedelta(hours=-6))
    at = dt.datetime(2025, 3, 1, 6, 30, 0, 999, tzinfo=mexico)

    assert rfc3339(at) == "2025-03-01T12:30:00.000Z"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("provider", "provider"),
        ("next_cursor", "nextCursor"),
        ("attempts24h", "attempts24h"),
        ("p50_ms", "p50Ms"),
        ("success_rate24h", "successRate24h"),
    ],
)
def test_names_turn_into_camel_case(name: str, expected: str) -> None:
    """Digits stay with their letter."""
    assert expected == camel(name)


def test_a_sealed_token_is_not_shown() -> None:
    """The request that carries one does not show it when printed."""
    sealed = domain.SealedExchange("space_1", "lks_1", b"sealed-bytes")
    request = OperationRequest("req_1", Operation.EXCHANGE_TOKEN, sealed, "US")

    assert "sealed-bytes" not in repr(request)
