"""Answers that are kept under a key come back as they were."""

from dataclasses import replace
from decimal import Decimal

import examples
import pytest

from orchestrator.domain import (
    AccountsData,
    Operation,
    OperationData,
    OperationResult,
    TransactionsData,
    decoded_data,
)
from orchestrator.domain.stored_result import result_from_bytes, result_to_bytes

RESULTS = [
    *(examples.result_of(operation, data) for operation, data in examples.DATA.items()),
    examples.result_of(Operation.SYNC_TRANSACTIONS, error=examples.ERROR),
]


def typed(result: OperationResult) -> OperationData | None:
    """The data of a result that was kept, decoded."""
    assert not isinstance(result.data, OperationData)
    return None if result.data is None else decoded_data(result.data)


@pytest.mark.parametrize("result", RESULTS, ids=lambda r: r.operation.value)
def test_a_result_comes_back_whole_and_marked_as_replayed(result: OperationResult) -> None:
    """Every field is as it was, its type too; only `replayed` is new."""
    again = result_from_bytes(result_to_bytes(result))

    assert replace(result, replayed=True) == replace(again, data=typed(again))
    assert type(result.data) is type(typed(again))


def test_money_and_dates_come_back_exact() -> None:
    """Trailing zeros, sign, zone and date type survive."""
    accounts = typed(result_from_bytes(result_to_bytes(RESULTS[2])))
    movements = typed(result_from_bytes(result_to_bytes(RESULTS[3])))

    assert isinstance(accounts, AccountsData)
    assert isinstance(movements, TransactionsData)
    assert str(accounts.accounts[0].balances.current) == "0.00"
    assert isinstance(movements.transactions[0].amount, Decimal)
    assert str(movements.transactions[0].amount) == "-12.30"
    assert accounts.as_of is not None
    assert (examples.AT, examples.AT.utcoffset()) == (accounts.as_of, accounts.as_of.utcoffset())
    assert type(movements.transactions[0].date) is type(examples.DAY)


def test_empty_data_is_not_taken_for_none() -> None:
    """An honest empty answer stays an answer."""
    empty = TransactionsData((), (), None, has_more=False, stale=False)
    result = examples.result_of(Operation.SYNC_TRANSACTIONS, empty)

    assert empty == typed(result_from_bytes(result_to_bytes(result)))


def test_keeping_it_twice_changes_nothing() -> None:
    """A replayed result can be kept and told again."""
    once = result_from_bytes(result_to_bytes(RESULTS[3]))

    assert once == result_from_bytes(result_to_bytes(once))
