"""Plaid's settings: what is a matter of contract, of taste, or left open by its documents."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Self

from orchestrator.domain import ConfigurationError

from .options import choice, options_with, whole_number

__all__ = ["DEFAULT_OPTIONS", "PlaidOptions"]

_PROVIDER: Final = "plaid"
_LONGEST_CLIENT_NAME: Final = 30
_FLAG: Final = ("true", "false")

DEFAULT_OPTIONS: Final[Mapping[str, str]] = {
    "client_name": "Provider Orchestrator",
    "days_requested": "730",
    "send_institution_id": "true",
    "link": "widget",
    "balances": "cached",
    "balance_age": "asked",
    "not_ready_wait_s": "5",
    "refresh": "never",
    "refresh_after_h": "24",
    "refresh_wait_s": "15",
}


@dataclass(frozen=True, slots=True)
class PlaidOptions:
    """`[providers.plaid.options]`, read.

    `client_name` is at most 30 characters. `hosts_link`: Plaid serves the page of a link session.
    `reads_live`: balances come from the bank (billed, slow). `asks_age`: where an answer does not
    say how old its balances are, the Item is asked. `refreshes`: data older than
    `refresh_after_h` hours are asked for anew (billed). The waits are in seconds.
    """

    client_name: str
    days_requested: int
    sends_institution_id: bool
    hosts_link: bool
    reads_live: bool
    asks_age: bool
    not_ready_wait_s: int
    refreshes: bool
    refresh_after_h: int
    refresh_wait_s: int

    @classmethod
    def of(cls, given: Mapping[str, str]) -> Self:
        """The options as set, over the defaults.

        Raises:
            ConfigurationError: one is unknown or cannot be meant.

        """
        chosen = options_with(given, DEFAULT_OPTIONS, provider=_PROVIDER)
        client_name = chosen["client_name"].strip()[:_LONGEST_CLIENT_NAME]
        if not client_name:
            raise ConfigurationError("providers.plaid.options.client_name is empty: Link shows it")

        def whole(name: str, low: int, high: int) -> int:
            return whole_number(chosen, name, low=low, high=high, provider=_PROVIDER)

        def one_of(name: str, *allowed: str) -> str:
            return choice(chosen, name, allowed, provider=_PROVIDER)

        return cls(
            client_name=client_name,
            days_requested=whole("days_requested", 1, 730),
            sends_institution_id=one_of("send_institution_id", *_FLAG) == "true",
            hosts_link=one_of("link", "widget", "hosted") == "hosted",
            reads_live=one_of("balances", "cached", "live") == "live",
            asks_age=one_of("balance_age", "told", "asked") == "asked",
            not_ready_wait_s=whole("not_ready_wait_s", 0, 300),
            refreshes=one_of("refresh", "never", "stale") == "stale",
            refresh_after_h=whole("refresh_after_h", 1, 720),
            refresh_wait_s=whole("refresh_wait_s", 0, 300),
        )
