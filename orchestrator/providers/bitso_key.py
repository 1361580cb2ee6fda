"""The key that a Bitso user brings: what is asked for, what is taken, and how much it may do."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from orchestrator.domain import (
    Credential,
    ErrorClass,
    ErrorScope,
    Failure,
    LinkField,
    ProviderFailure,
)

from .bitso_signing import API_KEY, API_SECRET
from .payload import Payload
from .refusals import invalid_token
from .user_actions import RESTART_LINK

__all__ = ["KeyPermissions", "key_fields", "user_key"]

_LABELS: Final[Mapping[str, tuple[str, str]]] = {
    "en": (
        "Bitso API key with permission to view only (no orders, no withdrawals)",
        "API secret of that key",
    ),
    "es": (
        "Clave de API de Bitso con permiso solo de consulta (sin órdenes ni retiros)",
        "Secreto de esa clave de API",
    ),
}
_PART_SHAPE: Final = re.compile(r"[\x21-\x7e]{1,256}")
_READING: Final = ("view", "read")
_MAY_DO_MORE: Final = (
    "this API key may do more than read: ask the user to replace it by one that may only view "
    "account information and balances"
)
_UNKNOWN: Final = (
    "Bitso does not tell what this API key may do: make sure with the user that it may only view "
    "account information and balances"
)


def key_fields(language: str) -> tuple[LinkField, ...]:
    """What the front end asks the user for, in the request's language."""
    key, secret = _LABELS.get(language, _LABELS["en"])
    return (
        LinkField(API_KEY, key, secret=False),
        LinkField(API_SECRET, secret, secret=True),
    )


def user_key(token: Credential) -> Credential:
    """The key out of the filled form, without the blanks that copying leaves around it.

    Raises:
        ProviderFailure: `INVALID_TEMPORARY_TOKEN`, where it is not exactly the form's fields, or
            holds what no key has.

    """
    if token.names != {API_KEY, API_SECRET}:
        raise invalid_token()
    parts = {name: token[name].strip() for name in (API_KEY, API_SECRET)}
    # The key stands in a header, between colons.
    if ":" in parts[API_KEY] or not all(_PART_SHAPE.fullmatch(part) for part in parts.values()):
        raise invalid_token()
    return Credential(parts)


@dataclass(frozen=True, slots=True)
class KeyPermissions:
    """Looks at what a key may do, as far as Bitso tells.

    `check` is `warn`, `refuse` or `off`; `field` is where the account's status lists the key's
    permissions, if it does. No call is made to find out: one that tried could move money.
    """

    check: str
    field: str

    def warnings(self, status: Payload) -> tuple[str, ...]:
        """What the caller should be told of the key that this status was read with.

        Raises:
            ProviderFailure: `KEY_MAY_DO_MORE`, where such keys are refused.

        """
        if self.check == "off":
            return ()
        permissions = _permissions(status.get(self.field))
        if permissions is None:
            return (_UNKNOWN,)
        if all(permission.lower().startswith(_READING) for permission in permissions):
            return ()
        if self.check == "refuse":
            raise ProviderFailure(
                Failure(
                    error_class=ErrorClass.VALIDATION,
                    scope=ErrorScope.REQUEST,
                    code="KEY_MAY_DO_MORE",
                    message=_MAY_DO_MORE,
                    user_action=RESTART_LINK,
                )
            )
        return (_MAY_DO_MORE,)


def _permissions(told: object) -> tuple[str, ...] | None:
    """The permissions of a list or of a text with commas; None where Bitso does not tell them."""
    if isinstance(told, str):
        told = told.split(",")
    if not isinstance(told, list) or not told:
        return None
    names = tuple(name.strip() for name in told if isinstance(name, str))
    return names if len(names) == len(told) and all(names) else None
