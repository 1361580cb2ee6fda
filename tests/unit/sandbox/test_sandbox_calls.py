"""How calls are counted."""

from sandbox.calls import CallBook


def row(book: CallBook, operation: str) -> tuple[int, int, list[str]]:
    """Count, HTTP calls and attempts of one operation at Plaid."""
    for found in book.snapshot():
        if found["operation"] == operation:
            return found["count"], found["httpCalls"], found["attemptIds"]
    return 0, 0, []


def test_attempt_counts_once_however_many_calls_it_takes() -> None:
    """Three calls of one attempt are one count and three HTTP calls."""
    book = CallBook()
    for _ in range(3):
        book.record("plaid", "a", "syncTransactions", guess="syncTransactions")

    assert row(book, "syncTransactions") == (1, 3, ["a"])


def test_calls_without_attempt_count_one_each() -> None:
    """Calls that name no attempt are attempts of their own, without an id."""
    book = CallBook()
    book.record("plaid", None, "getAccounts", guess="getAccounts")
    book.record("plaid", "", "getAccounts", guess="getAccounts")

    assert row(book, "getAccounts") == (2, 2, [])


def test_shared_call_is_booked_with_what_its_attempt_turns_out_to_be() -> None:
    """A call that could be of several operations moves to the one that a later call tells."""
    book = CallBook()
    book.record("plaid", "a", None, guess="getAccounts")

    assert row(book, "getAccounts") == (1, 1, ["a"])

    book.record("plaid", "a", "syncTransactions", guess="syncTransactions")
    book.record("plaid", "a", None, guess="getAccounts")

    assert row(book, "getAccounts") == (0, 0, [])
    assert row(book, "syncTransactions") == (1, 3, ["a"])


def test_call_that_counts_by_itself_moves_no_attempt() -> None:
    """A token's renewal is counted apart, and its attempt stays what it was."""
    book = CallBook()
    book.record("plaid", "a", None, guess="getAccounts")
    book.record_apart("plaid", "a", "auth")
    book.record_apart("plaid", None, "auth")

    assert row(book, "auth") == (2, 2, ["a"])
    assert row(book, "getAccounts") == (1, 1, ["a"])


def test_memory_of_attempts_is_bounded() -> None:
    """All attempts are counted though only the last ten thousand are remembered."""
    book = CallBook()
    for number in range(10_500):
        book.record("plaid", f"a{number}", None, guess="getAccounts")
    count, calls, attempts = row(book, "getAccounts")

    assert (count, calls) == (10_500, 10_500)
    assert len(attempts) == 10_000
    assert attempts[-1] == "a10499"


def test_clearing_forgets() -> None:
    """After clearing nothing is counted, and an old attempt counts anew."""
    book = CallBook()
    book.record("plaid", "a", "getAccounts", guess="getAccounts")
    book.clear()

    assert book.snapshot() == []

    book.record("plaid", "a", "getAccounts", guess="getAccounts")

    assert row(book, "getAccounts") == (1, 1, ["a"])
