"""Belvo's settings: what a widget offers, how fresh data have to be, what its documents leave open."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Self

from orchestrator.domain import ConfigurationError

from .belvo_wanted import Resource
from .options import choice, options_with, whole_number

__all__ = ["BELVO_DEFAULTS", "BelvoOptions"]

BELVO_DEFAULTS: Final[Mapping[str, str]] = {
    "access_mode": "recurrent",
    "background": "transactions",
    "count": "filtered",
    "credentials_storage": "",
    "fetch_resources": "ACCOUNTS,TRANSACTIONS",
    "movement_ids": "lasting",
    "refresh_after_hours": "24",
    "retrieval": "stored",
    "scopes": "read_institutions,write_links",
    "stale_in": "",
    "update_scopes": "read_institutions,write_links,read_links",
    "widget": "token",
    "widget_settings": "in_token",
    "widget_url": "https://widget.belvo.io/",
}
_PROVIDER: Final = "belvo"


@dataclass(frozen=True, slots=True)
class BelvoOptions:
    """The settings of `[providers.belvo.options]`, checked.

    Of the widget: `scopes` of its token, `update_scopes` of one that mends a link;
    `fetch_resources`, what Belvo reads as soon as a link is made; `credentials_storage` and
    `stale_in`, how long it keeps credentials and data, both empty for its own choice;
    `access_mode` of links; `hosted_widget`, whether the answer is Belvo's own page, at
    `widget_url`, instead of the token for a page of ours; `settings_in_token`, whether the token
    carries bank, country and language, too.

    Of reading: `refresh_after`, the age at which the bank is read first, None for never;
    `in_background`, what is then asked for as a job; `checks_count`, whether a listing's `count`
    counts the rows asked for; `ids_last`, whether a movement keeps its id when it is read again.
    """

    scopes: str
    update_scopes: str
    fetch_resources: tuple[str, ...]
    credentials_storage: str
    stale_in: str
    access_mode: str
    hosted_widget: bool
    widget_url: str
    settings_in_token: bool
    refresh_after: timedelta | None
    in_background: frozenset[Resource]
    checks_count: bool
    ids_last: bool

    @classmethod
    def of(cls, given: Mapping[str, str]) -> Self:
        """The defaults with what was set over them.

        Raises:
            ConfigurationError: an option that there is not, or a value that it cannot have.

        """
        told = options_with(given, BELVO_DEFAULTS, provider=_PROVIDER)

        def chosen(name: str, first: str, second: str) -> bool:
            return choice(told, name, (first, second), provider=_PROVIDER) == first

        hours = whole_number(told, "refresh_after_hours", low=0, high=8760, provider=_PROVIDER)
        stored_only = chosen("retrieval", "stored", "when_stale")
        return cls(
            scopes=told["scopes"],
            update_scopes=told["update_scopes"],
            fetch_resources=_names(told["fetch_resources"]),
            credentials_storage=told["credentials_storage"],
            stale_in=told["stale_in"],
            access_mode="recurrent" if chosen("access_mode", "recurrent", "single") else "single",
            hosted_widget=chosen("widget", "hosted_url", "token"),
            widget_url=_secure(told["widget_url"]),
            settings_in_token=chosen("widget_settings", "in_token", "by_front_end"),
            refresh_after=None if stored_only else timedelta(hours=hours),
            in_background=_resources(told["background"]),
            checks_count=chosen("count", "filtered", "everything"),
            ids_last=chosen("movement_ids", "lasting", "per_retrieval"),
        )


def _names(value: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in value.split(",") if name.strip())


def _resources(value: str) -> frozenset[Resource]:
    names = _names(value)
    unknown = sorted(set(names) - {one.value for one in Resource})
    if unknown:
        raise ConfigurationError(
            f"providers.belvo.options.background is {value!r}: "
            "set it to accounts, transactions, both with a comma, or nothing"
        )
    return frozenset(Resource(name) for name in names)


def _secure(url: str) -> str:
    if not url.startswith("https://") or "?" in url or "#" in url:
        raise ConfigurationError(
            f"providers.belvo.options.widget_url is {url!r}: set it to an https address of a page"
        )
    return url
