"""Where vendors' protocols show less than most: a line each, so that an exception is visible."""

from dataclasses import dataclass

__all__ = ["SHAPES", "Shape"]


@dataclass(frozen=True)
class Shape:
    """What one vendor's protocol can and cannot show.

    `proves_ownership`: its temporary token is only a name, which the adapter must check.
    `counts_rows`: its listings say how many rows there are, so a lost page is noticed;
    `counts_accounts`: those of accounts as well.
    `limits_connections`: its throttling of data calls is of one connection.
    `has_widget`: it is told of a link session, and has a widget for it; else a form of ours is.
    `takes_our_keys`: it knows us; else every key is a user's.
    `has_banks`: its data are the world's bank logins; else it is its own institution.
    `tells_age`: its data say of when they are.
    `keeps_days_in_order`: its movements come in one order within a day, too.
    `ends_connections`: it has a call that ends a connection.
    """

    proves_ownership: bool = True
    counts_rows: bool = True
    counts_accounts: bool = True
    limits_connections: bool = False
    has_widget: bool = True
    takes_our_keys: bool = True
    has_banks: bool = True
    tells_age: bool = True
    keeps_days_in_order: bool = True
    ends_connections: bool = True


SHAPES = {
    "plaid": Shape(proves_ownership=False, counts_rows=False, limits_connections=True),
    "finicity": Shape(counts_accounts=False),
    "bitso": Shape(
        proves_ownership=False,
        counts_rows=False,
        counts_accounts=False,
        limits_connections=True,
        has_widget=False,
        takes_our_keys=False,
        has_banks=False,
        tells_age=False,
        keeps_days_in_order=False,
        ends_connections=False,
    ),
}
"""By provider; without a line, all that the contract can ask for."""
