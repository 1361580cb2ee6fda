"""Plaid's link sessions: what is asked for one, and what it hands back."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from orchestrator.domain import ErrorClass, ErrorScope, Failure, LinkType, ProviderFailure

from .payload import Payload, optional_instant, optional_section, optional_text, rows, text
from .plaid_options import PlaidOptions
from .protocol import LinkMade, LinkRequest
from .refusals import credential_part
from .wire_failures import malformed

__all__ = ["WEBHOOK", "link_body", "link_made", "link_token_behind", "public_token_of"]

WEBHOOK: Final = "webhook"
"""The part of a link session's state that says that its Item will report to us."""
_LINK_TOKEN: Final = "link_token"  # noqa: S105  the name of a field, not its value
_HOSTED_URL: Final = "hosted_link_url"
_COUNTRIES: Final = frozenset(
    {"US", "GB", "ES", "NL", "FR", "IE", "CA", "DE", "IT", "PL"}
    | {"DK", "NO", "SE", "EE", "LT", "LV", "PT", "BE", "AT", "FI"}
)
_LANGUAGES: Final = frozenset(
    {"da", "nl", "en", "et", "fr", "de", "hi", "it", "lv", "lt", "no", "pl", "pt", "ro", "es"}
    | {"sv", "vi"}
)
_NEW_LIFETIME: Final = timedelta(hours=4)
_REPAIR_LIFETIME: Final = timedelta(minutes=30)
_NOT_FINISHED: Final = Failure(
    error_class=ErrorClass.VALIDATION,
    scope=ErrorScope.REQUEST,
    code="LINK_NOT_FINISHED",
    message="the user has not finished the link session",
    user_action="let the user finish at the link's address, then ask again",
    # Only looked at: nothing was exchanged.
    sent=False,
)


def link_body(request: LinkRequest, options: PlaidOptions) -> dict[str, object]:
    """The body of `/link/token/create`: for a new Item, or with a credential to mend in update mode.

    Raises:
        ProviderFailure: `UNSUPPORTED_REGION`, or `INVALID_CREDENTIAL`.

    """
    if request.region not in _COUNTRIES:
        raise ProviderFailure(
            Failure(
                error_class=ErrorClass.VALIDATION,
                scope=ErrorScope.REQUEST,
                code="UNSUPPORTED_REGION",
                message="the provider serves no bank of this country",
                elsewhere=True,
                sent=False,
            )
        )
    body: dict[str, object] = {
        "client_name": options.client_name,
        "language": request.language if request.language in _LANGUAGES else "en",
        "country_codes": [request.region],
        "user": {"client_user_id": request.end_user_id},
    }
    if request.repair is not None:
        # Of these, update mode refuses products and has no use for the rest.
        body["access_token"] = credential_part(request.repair, "access_token")
    else:
        body["products"] = ["transactions"]
        body["transactions"] = {"days_requested": options.days_requested}
        if options.sends_institution_id and request.provider_institution_id is not None:
            body["institution_id"] = request.provider_institution_id
        if request.webhook_url is not None:
            body["webhook"] = request.webhook_url
    if options.hosts_link:
        hosted: dict[str, object] = {
            "url_lifetime_seconds": int(_lifetime(request).total_seconds())
        }
        if request.redirect_uri is not None:
            hosted["completion_redirect_uri"] = request.redirect_uri
        body["hosted_link"] = hosted
    elif request.redirect_uri is not None:
        body["redirect_uri"] = request.redirect_uri
    return body


def link_made(
    answer: Payload, request: LinkRequest, options: PlaidOptions, now: datetime
) -> LinkMade:
    """The link session that an answer of `/link/token/create` tells.

    Raises:
        ProviderFailure: `MALFORMED`.

    """
    expires_at = optional_instant(answer, "expiration")
    if expires_at is None:
        raise malformed("expiration is missing", http_status=200)
    token = text(answer, _LINK_TOKEN)
    reports = request.repair is None and request.webhook_url is not None
    state = {WEBHOOK: "true"} if reports else {}
    if not options.hosts_link:
        return LinkMade(
            link_type=LinkType.WIDGET_TOKEN,
            link_token=token,
            link_url=None,
            expires_at=expires_at,
            state=state,
        )
    url = text(answer, _HOSTED_URL)
    return LinkMade(
        link_type=LinkType.HOSTED_URL,
        link_token=None,
        link_url=url,
        expires_at=min(expires_at, now + _lifetime(request)),
        state={**state, _LINK_TOKEN: token, _HOSTED_URL: url},
    )


def _lifetime(request: LinkRequest) -> timedelta:
    return _NEW_LIFETIME if request.repair is None else _REPAIR_LIFETIME


def link_token_behind(temporary_token: str, state: Mapping[str, str]) -> str | None:
    """The link token to look up, where a hosted session's own address is given for its result.

    Plaid hands the public token of a hosted session to webhooks and to whoever asks for it by the
    link token; None where the temporary token is a public token itself.
    """
    return state.get(_LINK_TOKEN) if temporary_token == state.get(_HOSTED_URL) else None


def public_token_of(answer: Payload) -> str:
    """The public token of the latest finished run of a link session (`/link/token/get`).

    Raises:
        ProviderFailure: `LINK_NOT_FINISHED`, or `MALFORMED`.

    """
    runs = rows(answer, "link_sessions") if answer.get("link_sessions") is not None else ()
    for run in reversed(runs):
        results = optional_section(run, "results")
        added = () if results is None else rows(results, "item_add_results")
        for result in reversed(added):
            return text(result, "public_token")
        success = optional_section(run, "on_success")
        token = None if success is None else optional_text(success, "public_token")
        if token is not None:
            return token
    raise ProviderFailure(_NOT_FINISHED)
