"""What a session of Finicity Connect is made of, and when it ends."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Final
from urllib.parse import parse_qs, urlsplit

from orchestrator.domain import ErrorClass, ErrorScope, Failure, ProviderFailure

from .finicity_values import Login
from .protocol import LinkRequest

__all__ = ["ConnectSession", "expiry_of", "linking", "repairing", "username_of"]

_USERNAME_SHAPE: Final = re.compile(r"[A-Za-z0-9!@.#$%&*_\-+]{6,255}")
_INSTITUTION_SHAPE: Final = re.compile(r"[0-9]{1,18}")
_LONGEST_TTL_DIGITS: Final = 14
_LEAST_MS: Final = 10**11
"""Below it, seconds are meant: as milliseconds it would be a day of 1973."""
_SPOKEN_BY_ITSELF: Final = "en"


@dataclass(frozen=True, slots=True)
class ConnectSession:
    """A session to ask for: which of Connect's variants (`""`, `/lite`, `/fix`), and its settings."""

    variant: str
    settings: Mapping[str, object]


def username_of(end_user_id: str) -> str:
    """The customer's name: our id of the user, or its digest where the vendor would refuse it."""
    if _USERNAME_SHAPE.fullmatch(end_user_id):
        return end_user_id
    return sha256(end_user_id.encode()).hexdigest()


def linking(customer_id: str, request: LinkRequest, experience: str) -> ConnectSession:
    """A session that links a bank: the one that was asked for, or whichever the user finds.

    Raises:
        ProviderFailure: `INVALID_INSTITUTION`, where the bank's id cannot be one of the vendor's.

    """
    settings = {"customerId": customer_id, **_common(request, experience)}
    if request.provider_institution_id is None:
        return ConnectSession("", settings)
    institution_id = _number(request.provider_institution_id)
    return ConnectSession("/lite", {**settings, "institutionId": institution_id})


def repairing(login: Login, request: LinkRequest, experience: str) -> ConnectSession:
    """A session that mends a login."""
    handle = {"customerId": login.customer_id, "institutionLoginId": login.login_id}
    return ConnectSession("/fix", {**handle, **_common(request, experience)})


def expiry_of(link_url: str) -> datetime | None:
    """When the address ends, by its own `ttl`, milliseconds since 1970; None where it has none."""
    try:
        told = parse_qs(urlsplit(link_url).query).get("ttl", [""])[0]
    except ValueError:
        return None
    if not (told.isascii() and told.isdecimal() and len(told) <= _LONGEST_TTL_DIGITS):
        return None
    at = int(told)
    return datetime.fromtimestamp(at / 1000 if at >= _LEAST_MS else at, UTC)


def _common(request: LinkRequest, experience: str) -> dict[str, object]:
    settings: dict[str, object] = {"singleUseUrl": True}
    if request.language != _SPOKEN_BY_ITSELF:
        settings["language"] = request.language
    if request.redirect_uri is not None:
        settings["redirectUri"] = request.redirect_uri
    if request.webhook_url is not None:
        settings |= {"webhook": request.webhook_url, "webhookContentType": "application/json"}
    if experience:
        settings["experience"] = experience
    return settings


def _number(provider_institution_id: str) -> int:
    if _INSTITUTION_SHAPE.fullmatch(provider_institution_id):
        return int(provider_institution_id)
    raise ProviderFailure(
        Failure(
            error_class=ErrorClass.VALIDATION,
            scope=ErrorScope.INSTITUTION,
            code="INVALID_INSTITUTION",
            message="the catalogue's id of this bank is not one of this provider's",
            elsewhere=True,
            sent=False,
        )
    )
