"""Failures that an adapter finds by itself, before or instead of what the vendor would say."""

from dataclasses import replace

from orchestrator.domain import Credential, ErrorClass, ErrorScope, Failure, ProviderFailure

from .user_actions import LINK_AGAIN, RESTART_LINK

__all__ = [
    "credential_part",
    "during_exchange",
    "invalid_token",
    "not_this_users",
    "temporary_part",
]


def invalid_token() -> ProviderFailure:
    """The failure of a temporary token that cannot be one of this provider's. Nothing was sent."""
    return ProviderFailure(
        Failure(
            error_class=ErrorClass.VALIDATION,
            scope=ErrorScope.REQUEST,
            code="INVALID_TEMPORARY_TOKEN",
            message="the temporary token is not of the form that this provider's widget gives",
            user_action=RESTART_LINK,
            sent=False,
        )
    )


def not_this_users() -> ProviderFailure:
    """The failure of a temporary token that names nothing, or something of another user.

    One failure for both, so that nobody learns which ids exist.
    """
    return ProviderFailure(
        Failure(
            error_class=ErrorClass.VALIDATION,
            scope=ErrorScope.REQUEST,
            code="NOT_THIS_USERS",
            message="the temporary token names no connection of this user",
            user_action=RESTART_LINK,
        )
    )


def temporary_part(token: Credential, name: str) -> str:
    """A part of the temporary token.

    Raises:
        ProviderFailure: `INVALID_TEMPORARY_TOKEN`, where it is missing or empty.

    """
    value = token.get(name)
    if not value:
        raise invalid_token()
    return value


def credential_part(credential: Credential, name: str) -> str:
    """A part of a connection's credential.

    Raises:
        ProviderFailure: `INVALID_CREDENTIAL`, where it is missing, as after a botched import.

    """
    value = credential.get(name)
    if not value:
        raise ProviderFailure(
            Failure(
                error_class=ErrorClass.AUTH,
                scope=ErrorScope.CONNECTION,
                code="INVALID_CREDENTIAL",
                message="the stored credential is not one of this provider's",
                user_action=LINK_AGAIN,
                sent=False,
            )
        )
    return value


def during_exchange(error: ProviderFailure) -> ProviderFailure:
    """The same failure, met before there is a connection that could be repaired."""
    if error.failure.user_action is None:
        return error
    return ProviderFailure(replace(error.failure, user_action=RESTART_LINK))
