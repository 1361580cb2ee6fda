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
    """

    proves_ownership: bool = True
    counts_rows: bool = True
    counts_accounts: bool = True
    limits_connections: bool = False


SHAPES = {
    "plaid": Shape(proves_ownership=False, counts_rows=False, limits_connections=True),
    "finicity": Shape(counts_accounts=False),
}
"""By provider; without a line, all that the contract can ask for."""
