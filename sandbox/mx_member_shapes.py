"""Users, institutions and members in MX's shapes.

Source: MX's OpenAPI v20250224 and v20111101 (UserResponse, InstitutionResponse, MemberResponse,
MemberStatusResponse, CredentialResponse, ChallengeResponse).
"""

from datetime import datetime
from typing import Final

from .banks import Bank
from .connections import EndUser
from .identifiers import guid
from .mx_book import MemberView
from .mx_challenges import challenges_json
from .wire import JsonObject, rfc3339

__all__ = [
    "PRODUCTS",
    "credentials_json",
    "institution_guid",
    "institution_json",
    "member_json",
    "member_status_json",
    "user_json",
]

PRODUCTS: Final = (
    "account_verification",
    "identity_verification",
    "transactions",
    "transaction_history",
)
"""What every bank of the sandbox supports."""

_CREDENTIALS: Final = (("LOGIN", "Username", "TEXT"), ("PASSWORD", "Password", "PASSWORD"))
_MESSAGES: Final = {
    "CHALLENGED": "To authenticate your connection, please answer the following challenge(s).",
    "DENIED": "The credentials entered do not match your credentials at this institution.",
    "CONNECTED": "Connected.",
}


def institution_guid(bank: Bank) -> str:
    """A bank's guid at MX."""
    return guid("INS", bank.id_at("mx"))


def institution_json(bank: Bank, *, legacy: bool) -> JsonObject:
    """An institution; v20111101 tells products by flags, v20250224 by a list."""
    row: JsonObject = {
        "code": bank.id_at("mx"),
        "forgot_password_url": None,
        "forgot_username_url": None,
        "instructional_text": None,
        "instructional_text_steps": None,
        "is_disabled_by_client": False,
        "iso_country_code": bank.region,
        "medium_logo_url": None,
        "name": bank.name,
        "small_logo_url": None,
        "supports_oauth": False,
        "supports_tax_document": False,
        "trouble_signing_in_url": None,
        "url": None,
    }
    if legacy:
        return row | {
            "supports_account_identification": True,
            "supports_account_statement": False,
            "supports_account_verification": True,
            "supports_transaction_history": True,
        }
    return row | {
        "created_at": "2020-01-01T00:00:00Z",
        "guid": institution_guid(bank),
        "is_hidden": False,
        "supported_products": list(PRODUCTS),
    }


def credentials_json(bank: Bank) -> list[JsonObject]:
    """What a bank asks of whoever logs in."""
    return [
        {
            "display_order": order,
            "field_name": name,
            "field_type": kind,
            "guid": guid("CRD", bank.id_at("mx"), name),
            "label": label,
            "type": kind,
        }
        for order, (name, label, kind) in enumerate(_CREDENTIALS, start=1)
    ]


def user_json(end_user: EndUser) -> JsonObject:
    """A user."""
    row: JsonObject = {
        "guid": end_user.guid,
        "id": end_user.own_id or None,
        "is_disabled": end_user.attributes.get("is_disabled") == "yes",
        "metadata": end_user.attributes.get("metadata"),
    }
    if "email" in end_user.attributes:
        row["email"] = end_user.attributes["email"]
    return row


def member_json(view: MemberView, *, legacy: bool) -> JsonObject:
    """A member: a user's login at one bank."""
    life, attributes = view.shown, view.member.attributes
    row: JsonObject = {
        "aggregated_at": _time(life.aggregated_at),
        "background_aggregation_is_disabled": life.sleeps_at_night,
        "connection_status": view.status,
        "connection_status_message": _MESSAGES.get(view.status, f"{view.bank.name}: {view.status}"),
        "guid": view.member.connection_id,
        "id": attributes.get("id"),
        "institution_code": view.bank.id_at("mx"),
        "institution_guid": institution_guid(view.bank),
        "is_being_aggregated": view.works,
        "is_managed_by_user": True,
        "is_manual": False,
        "is_oauth": False,
        "metadata": attributes.get("metadata"),
        "most_recent_job_detail_code": None,
        "most_recent_job_detail_text": None,
        "name": view.bank.name,
        "needs_updated_credentials": view.status in ("DENIED", "PREVENTED"),
        "oauth_window_uri": None,
        "successfully_aggregated_at": _time(life.succeeded_at),
        "use_cases": attributes.get("use_cases", "PFM").split(","),
        "user_guid": view.user.guid,
        "user_id": view.user.own_id or None,
    }
    if not legacy and life.aggregated_at is not None:
        row["most_recent_job_guid"] = guid("JOB", view.member.connection_id, life.aggregated_at)
    return row


def member_status_json(view: MemberView) -> JsonObject:
    """What polling a member's status shows."""
    has_data = view.shown.succeeded_at is not None
    return {
        "aggregated_at": _time(view.shown.aggregated_at),
        "challenges": (
            challenges_json(view.member.connection_id, view.life.scenario)
            if view.status == "CHALLENGED"
            else []
        ),
        "connection_status": view.status,
        "guid": view.member.connection_id,
        "has_processed_account_numbers": has_data,
        "has_processed_accounts": has_data,
        "has_processed_transactions": has_data,
        "is_authenticated": view.status == "CONNECTED",
        "is_being_aggregated": view.works,
        "successfully_aggregated_at": _time(view.shown.succeeded_at),
    }


def _time(at: datetime | None) -> str | None:
    return None if at is None else rfc3339(at)
