"""Data as the bytes of its JSON, and back."""

import dataclasses

import examples
import orjson
import pytest

from orchestrator.domain import (
    EncodedData,
    ExchangeData,
    Operation,
    OperationData,
    decoded_data,
    encoded_data,
    to_wire,
)


@pytest.mark.parametrize(("operation", "data"), examples.DATA.items(), ids=lambda it: str(it)[:20])
def test_typed_data_comes_back_as_it_was(operation: Operation, data: OperationData) -> None:
    """Every field has its value and its type again."""
    assert data == decoded_data(encoded_data(operation, data))


@pytest.mark.parametrize(("operation", "data"), examples.DATA.items(), ids=lambda it: str(it)[:20])
def test_the_bytes_are_the_answers_own_json(operation: Operation, data: OperationData) -> None:
    """An edge that puts them into its answer says the same as one that renders the typed data."""
    told = orjson.loads(encoded_data(operation, data).json)
    whole = to_wire(data)
    assert isinstance(whole, dict)

    assert told == {name: value for name, value in whole.items() if name in told}
    assert {"fields", "warnings"} >= whole.keys() - told.keys()


def test_what_is_told_when_set_is_told_when_set() -> None:
    """Warnings are in the bytes where there are any."""
    data = examples.DATA[Operation.EXCHANGE_TOKEN]
    assert isinstance(data, ExchangeData)
    warned = dataclasses.replace(data, warnings=("look at it",))

    assert warned == decoded_data(encoded_data(Operation.EXCHANGE_TOKEN, warned))


@pytest.mark.parametrize("json", [b"[]", b'{"accounts": 1}', b"{}", b'{"accounts": [{}]}', b"{"])
def test_other_bytes_are_refused(json: bytes) -> None:
    """One kind of error, whatever is wrong with them."""
    with pytest.raises(ValueError):  # noqa: PT011  orjson's own is one, too
        decoded_data(EncodedData(Operation.GET_ACCOUNTS, json))


def test_the_bytes_do_not_show_in_a_repr() -> None:
    """A link token may be among them."""
    encoded = encoded_data(Operation.CREATE_LINK, examples.DATA[Operation.CREATE_LINK])

    assert "link" not in repr(encoded).replace("createLink", "").replace("CREATE_LINK", "")
