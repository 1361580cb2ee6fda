"""What callers may write as parameters."""

import datetime as dt

import pytest
from pydantic import ValidationError

from orchestrator.domain import (
    PARAMS_BY_OPERATION,
    CreateLinkParams,
    ExchangeTokenParams,
    Operation,
    Params,
    SyncTransactionsParams,
)

GOOD: list[tuple[str, dict[str, object]]] = [
    ("createLink", {}),
    ("createLink", {"institutionId": "ins_chase", "language": "es", "backup": True}),
    ("createLink", {"redirectUri": "https://example.com/done?x=1"}),
    ("createLink", {"connectionId": "con_1"}),
    ("exchangeToken", {"linkSessionId": "lks_1", "temporaryToken": "t" * 4096}),
    ("exchangeToken", {"linkSessionId": "lks_1", "temporaryToken": {"apiKey": "k"}}),
    ("getAccounts", {"institutionId": "ins_chase", "allowStale": True}),
    ("syncTransactions", {"limit": 1}),
    ("syncTransactions", {"limit": 10_000, "cursor": "c"}),
    ("syncTransactions", {"startDate": "2025-01-01", "endDate": "2025-01-01"}),
    ("syncTransactions", {"startDate": dt.date(2025, 1, 1)}),
    ("syncTransactions", {"endDate": dt.datetime(2025, 1, 1, tzinfo=dt.UTC)}),
    ("syncTransactions", {"startDate": None, "cursor": None, "accountId": None}),
]
BAD: list[tuple[str, dict[str, object], str]] = [
    ("createLink", {"spaceId": ""}, "spaceId"),
    ("createLink", {"spaceId": "a b"}, "spaceId"),
    ("createLink", {"spaceId": "x" * 129}, "spaceId"),
    ("createLink", {"spaceId": "../etc"}, "spaceId"),
    ("createLink", {"spaceId": "space_1\n"}, "spaceId"),
    ("createLink", {"spaceId": 7}, "spaceId"),
    ("createLink", {"language": "fr"}, "language"),
    ("createLink", {"redirectUri": "javascript:alert(1)"}, "redirectUri"),
    ("createLink", {"redirectUri": "https://a b"}, "redirectUri"),
    ("createLink", {"redirectUri": "https://" + "x" * 2048}, "redirectUri"),
    ("createLink", {"backup": True, "connectionId": "con_1"}, ""),
    ("createLink", {"surprise": 1}, "surprise"),
    ("exchangeToken", {"temporaryToken": "t"}, "linkSessionId"),
    ("exchangeToken", {"linkSessionId": "l"}, "temporaryToken"),
    ("exchangeToken", {"linkSessionId": "l", "temporaryToken": ""}, "temporaryToken"),
    ("exchangeToken", {"linkSessionId": "l", "temporaryToken": "t" * 4097}, "temporaryToken"),
    ("exchangeToken", {"linkSessionId": "l", "temporaryToken": {}}, "temporaryToken"),
    ("exchangeToken", {"linkSessionId": "l", "temporaryToken": {"a b": "k"}}, "temporaryToken"),
    ("exchangeToken", {"linkSessionId": "l", "temporaryToken": ["t"]}, "temporaryToken"),
    (
        "exchangeToken",
        {"linkSessionId": "l", "temporaryToken": {f"f{n}": "k" for n in range(9)}},
        "temporaryToken",
    ),
    ("getAccounts", {"accountId": "acc_1"}, "accountId"),
    ("getAccounts", {"allowStale": "perhaps"}, "allowStale"),
    ("syncTransactions", {"limit": 0}, "limit"),
    ("syncTransactions", {"limit": 10_001}, "limit"),
    ("syncTransactions", {"limit": True}, "limit"),
    ("syncTransactions", {"limit": 1.5}, "limit"),
    ("syncTransactions", {"cursor": ""}, "cursor"),
    ("syncTransactions", {"cursor": "c", "startDate": "2025-01-01"}, ""),
    ("syncTransactions", {"cursor": "c", "endDate": "2025-01-01"}, ""),
    ("syncTransactions", {"startDate": "2025-01-02", "endDate": "2025-01-01"}, ""),
    ("syncTransactions", {"startDate": "2025-02-30"}, "startDate"),
    ("syncTransactions", {"startDate": "01/02/2025"}, "startDate"),
    ("syncTransactions", {"startDate": "1735689600"}, "startDate"),
    ("syncTransactions", {"startDate": 0}, "startDate"),
    ("syncTransactions", {"startDate": True}, "startDate"),
    ("syncTransactions", {"startDate": dt.datetime(2025, 1, 1, 5, tzinfo=dt.UTC)}, "startDate"),
    ("syncTransactions", {"endDate": "0001-01-01"}, "endDate"),
    ("syncTransactions", {"endDate": "9999-12-31"}, "endDate"),
]


def read(operation: str, params: dict[str, object]) -> Params:
    """The parameters, of space_1 unless they say otherwise."""
    return PARAMS_BY_OPERATION[Operation(operation)].model_validate(
        {"spaceId": "space_1", **params}
    )


@pytest.mark.parametrize(("operation", "params"), GOOD)
def test_good_parameters_are_taken(operation: str, params: dict[str, object]) -> None:
    """All that the contract allows, at its bounds too."""
    assert read(operation, params).space_id == "space_1"


@pytest.mark.parametrize(("operation", "params", "field"), BAD)
def test_bad_parameters_are_refused_at_their_field(
    operation: str, params: dict[str, object], field: str
) -> None:
    """The first error is at the field that is wrong, and repeats no value."""
    with pytest.raises(ValidationError) as refusal:
        read(operation, params)

    first = refusal.value.errors()[0]
    assert field == (str(first["loc"][0]) if first["loc"] else "")
    assert "input_value" not in str(refusal.value)


@pytest.mark.parametrize("operation", Operation)
def test_every_operation_needs_a_space(operation: Operation) -> None:
    """Nothing is done for nobody."""
    with pytest.raises(ValidationError) as refusal:
        PARAMS_BY_OPERATION[operation].model_validate({})

    assert ("spaceId",) == refusal.value.errors()[0]["loc"]


def test_defaults_are_those_of_the_contract() -> None:
    """English, no backup, and ten thousand movements."""
    link, sync = read("createLink", {}), read("syncTransactions", {})

    assert isinstance(link, CreateLinkParams)
    assert isinstance(sync, SyncTransactionsParams)
    assert ("en", False) == (link.language, link.backup)
    assert (10_000, None, None) == (sync.limit, sync.start_date, sync.end_date)


def test_dates_come_in_as_text_or_as_dates() -> None:
    """Python callers may give what they have."""
    text = read("syncTransactions", {"startDate": "2025-01-31"})
    date = read("syncTransactions", {"start_date": dt.date(2025, 1, 31)})

    assert text == date


def test_tokens_are_not_shown() -> None:
    """Neither a token nor a form's part is in the text of its parameters."""
    for token in ("public-SECRET", {"apiKey": "SECRET"}):
        params = read("exchangeToken", {"linkSessionId": "l", "temporaryToken": token})
        assert isinstance(params, ExchangeTokenParams)
        assert "SECRET" not in repr(params) + str(params.model_dump()) + params.model_dump_json()


def test_parameters_cannot_be_changed() -> None:
    """Once validated they stay as they are."""
    params = read("getAccounts", {})
    with pytest.raises(ValidationError, match="frozen"):
        setattr(params, "space_id", "space_2")  # noqa: B010  the type checker knows it too
