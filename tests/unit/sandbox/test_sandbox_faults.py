"""The book of faults: matching, rates, running out, and definitions that cannot be taken."""

from random import Random

import pytest

from sandbox.faults import BadFault, Fault, FaultBook, FaultKind, Interference, parse_faults

CODES = {"plaid": ["ITEM_LOCKED"], "mx": ["DENIED"]}
BANKS = ("ins_chase",)


def always() -> float:
    """Dice that strike whenever the rate is above zero."""
    return 0.0


def decide(
    book: FaultBook, *, provider: str = "plaid", bank: str | None = None, now: float = 0.0
) -> Interference:
    """What the book does to one reading of accounts."""
    return book.decide(provider, ("getAccounts",), bank, now=now, draw=always)


@pytest.mark.parametrize(
    ("fault", "strikes"),
    [
        (Fault("plaid", FaultKind.DOWN), True),
        (Fault("*", FaultKind.DOWN), True),
        (Fault("mx", FaultKind.DOWN), False),
        (Fault("plaid", FaultKind.DOWN, operation="getAccounts"), True),
        (Fault("plaid", FaultKind.DOWN, operation="createLink"), False),
        (Fault("plaid", FaultKind.DOWN, institution_id="ins_chase"), True),
        (Fault("plaid", FaultKind.DOWN, institution_id="ins_citi"), False),
    ],
)
def test_fault_strikes_what_it_names(fault: Fault, strikes: bool) -> None:
    """Provider, operation and institution each narrow a fault, and a star does not."""
    book = FaultBook()
    book.put([fault], now=0.0)

    assert (FaultKind.DOWN if strikes else None) == decide(book, bank="ins_chase").kind


def test_fault_for_a_bank_spares_calls_about_none() -> None:
    """A call that tells no bank is not struck by a fault that names one."""
    book = FaultBook()
    book.put([Fault("plaid", FaultKind.DOWN, institution_id="ins_chase")], now=0.0)

    assert Interference() == decide(book, bank=None)


def test_fault_runs_out() -> None:
    """A fault with a duration ends that long after it was put in force."""
    book = FaultBook()
    book.put([Fault("*", FaultKind.DOWN, for_s=10.0)], now=100.0)

    assert FaultKind.DOWN is decide(book, now=109.9).kind
    assert decide(book, now=110.0).kind is None
    assert book.in_force(now=110.0) == ()


def test_rate_is_the_share_of_calls_struck() -> None:
    """A fault of rate 0.3 strikes about three calls in ten."""
    book, dice = FaultBook(), Random(1)
    book.put([Fault("*", FaultKind.DOWN, rate=0.3)], now=0.0)
    struck = sum(
        book.decide("mx", ("getAccounts",), None, now=0.0, draw=dice.random).kind is not None
        for _ in range(4000)
    )

    assert 1100 <= struck <= 1300


def test_flaky_is_down_some_of_the_time() -> None:
    """A flaky fault shows as down, half of the time unless a rate is given."""
    (fault,) = parse_faults(
        {"faults": [{"provider": "mx", "kind": "flaky"}]}, error_codes=CODES, institutions=BANKS
    )
    book = FaultBook()
    book.put([fault], now=0.0)

    assert fault.rate == 0.5
    assert FaultKind.DOWN is decide(book, provider="mx").kind


def test_delays_add_up_and_the_first_kind_wins() -> None:
    """Several faults on one call delay it together; only the first real one is done."""
    book = FaultBook()
    book.put(
        [
            Fault("*", FaultKind.SLOW, latency_ms=200),
            Fault("*", FaultKind.RATE_LIMIT, latency_ms=300, retry_after_s=7),
            Fault("*", FaultKind.DOWN),
        ],
        now=0.0,
    )

    assert Interference(FaultKind.RATE_LIMIT, 0.5, 7) == decide(book)


def test_putting_replaces_and_clearing_ends() -> None:
    """New faults take the place of the old, and clearing leaves none."""
    book = FaultBook()
    book.put([Fault("*", FaultKind.DOWN)], now=0.0)
    book.put([Fault("*", FaultKind.RESET)], now=0.0)

    assert FaultKind.RESET is decide(book).kind

    book.clear()

    assert Interference() == decide(book)


def test_definition_survives_its_wire_form() -> None:
    """A fault read from its wire form writes the same wire form."""
    row = {
        "provider": "plaid",
        "operation": "syncTransactions",
        "institutionId": "ins_chase",
        "kind": "rate_limit",
        "rate": 0.25,
        "latencyMs": 40.0,
        "retryAfterS": 12.0,
        "forS": 60.0,
        "errorCode": None,
    }
    (fault,) = parse_faults({"faults": [row]}, error_codes=CODES, institutions=BANKS)

    assert row == fault.as_json()


def test_an_error_names_the_vendors_own_code() -> None:
    """A fault of kind error strikes with the code that it was defined with."""
    row = {"provider": "mx", "kind": "error", "errorCode": "DENIED"}
    book = FaultBook()
    book.put(parse_faults({"faults": [row]}, error_codes=CODES, institutions=BANKS), now=0.0)

    assert Interference(FaultKind.ERROR, error_code="DENIED") == decide(book, provider="mx")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (None, ""),
        ([], ""),
        ({"fault": []}, "fault"),
        ({"faults": {}}, "faults"),
        ({"faults": [1]}, "faults[0]"),
        ({"faults": [{"provider": "plaid"}]}, "faults[0].kind"),
        ({"faults": [{"kind": "down"}]}, "faults[0].provider"),
        ({"faults": [{"provider": "acme", "kind": "down"}]}, "faults[0].provider"),
        ({"faults": [{"provider": "mx", "kind": "broken"}]}, "faults[0].kind"),
        ({"faults": [{"provider": "mx", "kind": ["down"]}]}, "faults[0].kind"),
        ({"faults": [{"provider": "mx", "kind": "down", "rate": 1.5}]}, "faults[0].rate"),
        ({"faults": [{"provider": "mx", "kind": "down", "rate": "1"}]}, "faults[0].rate"),
        ({"faults": [{"provider": "mx", "kind": "down", "latencyMs": -1}]}, "faults[0].latencyMs"),
        ({"faults": [{"provider": "mx", "kind": "down", "forS": True}]}, "faults[0].forS"),
        (
            {"faults": [{"provider": "mx", "kind": "down", "operation": "sync"}]},
            "faults[0].operation",
        ),
        (
            {"faults": [{"provider": "mx", "kind": "down", "institutionId": "ins_x"}]},
            "faults[0].institutionId",
        ),
        ({"faults": [{"provider": "mx", "kind": "error"}]}, "faults[0].errorCode"),
        (
            {"faults": [{"provider": "plaid", "kind": "error", "errorCode": "DENIED"}]},
            "faults[0].errorCode",
        ),
        (
            {"faults": [{"provider": "*", "kind": "error", "errorCode": "DENIED"}]},
            "faults[0].errorCode",
        ),
        (
            {"faults": [{"provider": "mx", "kind": "down", "errorCode": "DENIED"}]},
            "faults[0].errorCode",
        ),
        (
            {"faults": [{"provider": "mx", "kind": "down"}, {"provider": "mx", "kinds": "down"}]},
            "faults[1].kinds",
        ),
    ],
)
def test_bad_definition_names_its_field(body: object, field: str) -> None:
    """A definition that cannot be taken says which field is wrong."""
    with pytest.raises(BadFault) as caught:
        parse_faults(body, error_codes=CODES, institutions=BANKS)

    assert field == caught.value.field
