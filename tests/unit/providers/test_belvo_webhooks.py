"""Belvo's webhooks: its codes in our words."""

import pytest
from pydantic import SecretStr

from orchestrator.providers.belvo_webhooks import BelvoWebhooks
from orchestrator.providers.webhooks import News, WebhookNotice
from tests.support.webhook_builders import delivery

AGREED = "Bearer agreed"
LINK = "16F68516-bcbc-4cf7-b815-c500d4204e28"


async def read(payload: object) -> WebhookNotice:
    """What a proven payload tells."""
    reader = BelvoWebhooks(SecretStr(AGREED))
    return await reader.read(delivery(payload, {"authorization": AGREED}))


def event(code: object, kind: str = "TRANSACTIONS", **data: object) -> dict[str, object]:
    """A webhook of Belvo's."""
    return {
        "webhook_id": "aadf41a1fc8e4f79a49f7f04027ac999",
        "webhook_type": kind,
        "process_type": "recurrent_update",
        "webhook_code": code,
        "link_id": LINK,
        "request_id": "4363b08b-51eb-4350-9c74-5df5ac92a7f6",
        "external_id": "user_1",
        "data": data,
    }


@pytest.mark.parametrize(
    "payload",
    [
        event("historical_update", total_transactions=12),
        event("historical_update", "ACCOUNTS", total_accounts=2),
        event("new_accounts_available", "ACCOUNTS"),
        event("new_transactions_available", new_transactions=3),
        event("transactions_updated", count=1, transactions=["t-1"]),
        event("transactions_deleted", count=1, transactions=["t-1"]),
    ],
)
async def test_new_and_changed_data_are_fresh(payload: object) -> None:
    """Tell fresh data of the link, under the id as an exchange keeps it."""
    notice = await read(payload)

    assert (News.FRESH_DATA, (LINK.lower(),), None) == (
        notice.news,
        notice.login_keys,
        notice.as_of,
    )


@pytest.mark.parametrize(
    "payload",
    [
        event("invalid_credentials", "LINK", error_code="login_error", status=400),
        event("token_required", "LINK", error_code="token_required", status=428),
        event("token_required", "LINKS"),
        event("openfinance_consent_expired", "CONSENT", action="renew"),
        event("openfinance_consent_about_to_expire", "CONSENT", action="renew"),
        event("something_new", "LINK", error_code="session_expired"),
        event("invalid_link", "LINK"),
    ],
)
async def test_broken_links_need_the_user(payload: object) -> None:
    """Tell a link that waits for its user, by its code or by the error that it names."""
    notice = await read(payload)

    assert (News.NEEDS_USER, (LINK.lower(),)) == (notice.news, notice.login_keys)


@pytest.mark.parametrize(
    "payload",
    [
        {},
        event("new_owners_available", "OWNERS"),
        event("openfinance_consent_expiration_changed", "CONSENT"),
        event("something_new", "LINK", error_code="institution_down"),
        event("something_new", "LINK", error_code="authentication_failed"),
        event(None),
        event(["historical_update"]),
        {**event("something_new"), "data": "login_error"},
        {"webhook_code": "something_new"},
    ],
)
async def test_other_codes_are_taken_and_mean_nothing(payload: object) -> None:
    """Take what is proven and of no concern."""
    notice = await read(payload)

    assert (News.NOTHING, ()) == (notice.news, notice.login_keys)
