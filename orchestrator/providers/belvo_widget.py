"""Belvo's widget: what its token is asked for with, and the address of its hosted page.

Belvo documents the settings of a widget for whoever starts it: a page of ours, or the query of the
hosted one. Whether the token can carry them, too, it does not say.
"""

from urllib.parse import urlencode

from orchestrator.domain import Credential

from .belvo_options import BelvoOptions
from .payload import Payload
from .protocol import LinkRequest

__all__ = ["address_of", "token_body"]


def token_body(
    request: LinkRequest, keys: Credential, options: BelvoOptions, *, link_id: str | None
) -> Payload:
    """The body with which a widget's token is asked for; `link_id` names the link to mend."""
    body: dict[str, object] = {
        "id": keys["BELVO_SECRET_ID"],
        "password": keys["BELVO_SECRET_PASSWORD"],
        "scopes": options.scopes if link_id is None else options.update_scopes,
        "external_id": request.end_user_id,
    }
    if options.fetch_resources:
        body["fetch_resources"] = list(options.fetch_resources)
    if options.credentials_storage:
        body["credentials_storage"] = options.credentials_storage
    if options.stale_in:
        body["stale_in"] = options.stale_in
    if link_id is not None:
        body["link_id"] = link_id
    widget: dict[str, object] = {}
    if request.redirect_uri is not None:
        widget["callback_urls"] = dict.fromkeys(("success", "exit", "event"), request.redirect_uri)
    if options.settings_in_token:
        widget["country_codes"] = [request.region]
        widget["locale"] = request.language
        widget["access_mode"] = options.access_mode
        if request.provider_institution_id is not None and link_id is None:
            widget["institution"] = request.provider_institution_id
    if widget:
        body["widget"] = widget
    return body


def address_of(request: LinkRequest, token: str, options: BelvoOptions) -> str:
    """The address of Belvo's hosted page for this session; whoever has it can connect."""
    query = {
        "access_token": token,
        "country_codes": request.region,
        "locale": request.language,
        "access_mode": options.access_mode,
        "external_id": request.end_user_id,
    }
    if request.provider_institution_id is not None and request.repair is None:
        query["institution"] = request.provider_institution_id
    return f"{options.widget_url}?{urlencode(query)}"
