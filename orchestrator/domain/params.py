"""Parameters of the four operations, validated once at the edge and frozen from there on."""

import datetime as dt
import re
from typing import Annotated, Final, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    StringConstraints,
    model_validator,
)
from pydantic.alias_generators import to_camel

from .vocabulary import Operation

__all__ = [
    "DEFAULT_LIMIT",
    "IDENTIFIER",
    "PARAMS_BY_OPERATION",
    "CreateLinkParams",
    "ExchangeTokenParams",
    "GetAccountsParams",
    "Params",
    "SyncTransactionsParams",
]

DEFAULT_LIMIT: Final = 10_000

IDENTIFIER: Final = r"^[A-Za-z0-9][A-Za-z0-9_.:\-]{0,127}$"
"""What an id of a caller's or of ours looks like."""
Identifier = Annotated[str, StringConstraints(pattern=IDENTIFIER)]
FormField = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9]{0,63}$")]
_DAY_TEXT: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


# Room on both sides for the windows that are computed from a day.
_FIRST_DAY: Final = dt.date(1970, 1, 1)
_LAST_DAY: Final = dt.date(2999, 12, 31)


def _day_written_out(value: object) -> object:
    # A bare number would be taken for seconds since 1970, and 20250101 for a day of that year.
    if isinstance(value, dt.date) or (isinstance(value, str) and _DAY_TEXT.fullmatch(value)):
        return value
    raise ValueError("is not a date as YYYY-MM-DD")


def _day_in_range(value: dt.date) -> dt.date:
    if not _FIRST_DAY <= value <= _LAST_DAY:
        raise ValueError(f"is not between {_FIRST_DAY} and {_LAST_DAY}")
    return value


def _no_truth(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError("is not a whole number")  # noqa: TRY004  pydantic turns it into a refusal
    return value


Day = Annotated[dt.date, BeforeValidator(_day_written_out), AfterValidator(_day_in_range)]
TokenText = Annotated[SecretStr, Field(min_length=1, max_length=4096)]


class _Params(BaseModel):
    """camelCase outside, snake_case inside; an unknown field is an error."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
    )

    space_id: Identifier


class CreateLinkParams(_Params):
    """A new link session; with `connection_id`, one that repairs that connection."""

    institution_id: Identifier | None = None
    redirect_uri: (
        Annotated[str, StringConstraints(pattern=r"^https?://[^\s]+$", max_length=2048)] | None
    ) = None
    language: Literal["en", "es"] = "en"
    connection_id: Identifier | None = None
    backup: bool = False

    @model_validator(mode="after")
    def _repair_is_no_backup(self) -> Self:
        if self.connection_id is not None and self.backup:
            raise ValueError("backup makes a new connection and connectionId repairs one: give one")
        return self


class ExchangeTokenParams(_Params):
    """The end of a link session: what the provider's widget gave to the front end."""

    link_session_id: Identifier
    temporary_token: (
        TokenText | Annotated[dict[FormField, TokenText], Field(min_length=1, max_length=8)]
    )


class GetAccountsParams(_Params):
    """Which connection's accounts to read."""

    institution_id: Identifier | None = None
    connection_id: Identifier | None = None
    allow_stale: bool = False


class SyncTransactionsParams(_Params):
    """Which movements to read: an inclusive window of dates, or what changed since a cursor."""

    account_id: Identifier | None = None
    institution_id: Identifier | None = None
    connection_id: Identifier | None = None
    start_date: Day | None = None
    end_date: Day | None = None
    cursor: Annotated[str, StringConstraints(min_length=1, max_length=4096)] | None = None
    limit: Annotated[int, BeforeValidator(_no_truth), Field(ge=1, le=10_000)] = DEFAULT_LIMIT
    allow_stale: bool = False

    @model_validator(mode="after")
    def _window_or_cursor(self) -> Self:
        if self.cursor is not None and (self.start_date or self.end_date):
            raise ValueError("a cursor says what changed since: leave out startDate and endDate")
        if self.start_date and self.end_date and self.end_date < self.start_date:
            raise ValueError("endDate is before startDate")
        return self


Params = CreateLinkParams | ExchangeTokenParams | GetAccountsParams | SyncTransactionsParams

PARAMS_BY_OPERATION: Final[dict[Operation, type[Params]]] = {
    Operation.CREATE_LINK: CreateLinkParams,
    Operation.EXCHANGE_TOKEN: ExchangeTokenParams,
    Operation.GET_ACCOUNTS: GetAccountsParams,
    Operation.SYNC_TRANSACTIONS: SyncTransactionsParams,
}
