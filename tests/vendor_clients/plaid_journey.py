"""Plaid's own client, unchanged, through the sandbox: link, exchange, accounts, transactions.

    python plaid_journey.py SANDBOX_URL

Prints a line a step; ends with exit code 1 at the first thing that is not as it should be.
"""

import json
import sys
from base64 import urlsafe_b64decode
from collections.abc import Callable
from datetime import date, timedelta
from urllib.request import Request, urlopen

import plaid
from plaid.api.plaid_api import PlaidApi
from plaid.model.accounts_balance_get_request import AccountsBalanceGetRequest
from plaid.model.accounts_get_request import AccountsGetRequest
from plaid.model.country_code import CountryCode
from plaid.model.custom_sandbox_transaction import CustomSandboxTransaction
from plaid.model.institutions_get_by_id_request import InstitutionsGetByIdRequest
from plaid.model.institutions_get_request import InstitutionsGetRequest
from plaid.model.institutions_search_request import InstitutionsSearchRequest
from plaid.model.item_access_token_invalidate_request import ItemAccessTokenInvalidateRequest
from plaid.model.item_get_request import ItemGetRequest
from plaid.model.item_public_token_exchange_request import ItemPublicTokenExchangeRequest
from plaid.model.item_remove_request import ItemRemoveRequest
from plaid.model.item_webhook_update_request import ItemWebhookUpdateRequest
from plaid.model.link_token_create_hosted_link import LinkTokenCreateHostedLink
from plaid.model.link_token_create_request import LinkTokenCreateRequest
from plaid.model.link_token_create_request_user import LinkTokenCreateRequestUser
from plaid.model.link_token_get_request import LinkTokenGetRequest
from plaid.model.link_token_transactions import LinkTokenTransactions
from plaid.model.products import Products
from plaid.model.sandbox_item_fire_webhook_request import SandboxItemFireWebhookRequest
from plaid.model.sandbox_item_reset_login_request import SandboxItemResetLoginRequest
from plaid.model.sandbox_public_token_create_request import SandboxPublicTokenCreateRequest
from plaid.model.sandbox_public_token_create_request_options import (
    SandboxPublicTokenCreateRequestOptions,
)
from plaid.model.sandbox_transactions_create_request import SandboxTransactionsCreateRequest
from plaid.model.transactions_get_request import TransactionsGetRequest
from plaid.model.transactions_refresh_request import TransactionsRefreshRequest
from plaid.model.transactions_sync_request import TransactionsSyncRequest
from plaid.model.webhook_verification_key_get_request import WebhookVerificationKeyGetRequest

CHASE = "ins_56"
TEST_BANK = "ins_109508"
HOOK = "https://app.test/hooks"
US = [CountryCode("US")]
TRANSACTIONS = [Products("transactions")]


def told(step: str, *, holds: bool, why: object = "") -> None:
    """Print a step, and end the journey where it failed."""
    print(f"{'ok' if holds else 'NOT OK'}  {step}")
    if not holds:
        print(f"        {why}")
        raise SystemExit(1)


def error_code(call: Callable[[], object]) -> str:
    """The code with which a call is refused."""
    try:
        call()
    except plaid.ApiException as refused:
        return str(json.loads(refused.body)["error_code"])
    return "no error"


def post(base_url: str, path: str, body: object) -> dict[str, object]:
    """Call one of the sandbox's own endpoints."""
    request = Request(
        base_url + path, json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urlopen(request, timeout=10) as response:
        answer: dict[str, object] = json.load(response)
        return answer


def client_of(base_url: str, secret: str = "sandbox_secret") -> PlaidApi:
    """Plaid's client, whose host is the sandbox."""
    configuration = plaid.Configuration(
        host=f"{base_url}/plaid",
        api_key={
            "clientId": "sandbox_client",
            "secret": secret,
            "plaidVersion": "2020-09-14",
        },
    )
    return PlaidApi(plaid.ApiClient(configuration))


def linked(client: PlaidApi, base_url: str) -> tuple[str, str]:
    """An Item, from a link token on: its access token and its id."""
    made = client.link_token_create(
        LinkTokenCreateRequest(
            client_name="Journey",
            language="en",
            country_codes=US,
            products=TRANSACTIONS,
            user=LinkTokenCreateRequestUser(client_user_id="journey-0123456789abcdef"),
            institution_id=CHASE,
            webhook=HOOK,
            transactions=LinkTokenTransactions(days_requested=730),
            hosted_link=LinkTokenCreateHostedLink(),
        )
    )
    told("link_token_create", holds=made.link_token.startswith("link-sandbox-"))
    told("  its page", holds=made.hosted_link_url.startswith("https://"))
    completed = post(base_url, "/_control/complete", {"linkToken": made.link_token})
    session = client.link_token_get(LinkTokenGetRequest(link_token=made.link_token))
    results = session.link_sessions[0].results.item_add_results
    told("link_token_get", holds=results[0].public_token == completed["temporaryToken"])
    exchanged = client.item_public_token_exchange(
        ItemPublicTokenExchangeRequest(public_token=results[0].public_token)
    )
    told(
        "item_public_token_exchange",
        holds=exchanged.access_token.startswith("access-sandbox-"),
    )
    return exchanged.access_token, exchanged.item_id


def accounts(client: PlaidApi, token: str) -> None:
    """Accounts, cached and live, and the Item itself."""
    cached = client.accounts_get(AccountsGetRequest(access_token=token))
    told("accounts_get", holds=len(cached.accounts) >= 2)
    told("  its types", holds={str(a.type) for a in cached.accounts} >= {"depository"})
    live = client.accounts_balance_get(AccountsBalanceGetRequest(access_token=token))
    told(
        "accounts_balance_get",
        holds=[a.account_id for a in live.accounts] == [a.account_id for a in cached.accounts],
    )
    item = client.item_get(ItemGetRequest(access_token=token))
    told("item_get", holds=item.item.institution_id == CHASE and item.item.error is None)


def transactions(client: PlaidApi, token: str) -> None:
    """The whole history by cursor and the last month by dates."""
    added, cursor, pages = [], "", 0
    while True:
        page = client.transactions_sync(
            TransactionsSyncRequest(access_token=token, cursor=cursor, count=500)
        )
        added += page.added
        cursor, pages = page.next_cursor, pages + 1
        if not page.has_more:
            break
    told(f"transactions_sync: {len(added)} rows, {pages} pages", holds=len(added) > 500)
    again = client.transactions_sync(TransactionsSyncRequest(access_token=token, cursor=cursor))
    told("  and nothing new after it", holds=not (again.added or again.modified or again.removed))
    today = date.today()  # noqa: DTZ011  the sandbox's own day is UTC's, a window of a month either way
    window = client.transactions_get(
        TransactionsGetRequest(
            access_token=token, start_date=today - timedelta(days=30), end_date=today
        )
    )
    ids = {row.transaction_id for row in added}
    told(
        f"transactions_get: {window.total_transactions} rows",
        holds=bool(window.transactions)
        and {row.transaction_id for row in window.transactions} <= ids,
    )
    client.transactions_refresh(TransactionsRefreshRequest(access_token=token))
    told("transactions_refresh", holds=True)


def directory(client: PlaidApi) -> None:
    """Institutions, in every way there is."""
    listed = client.institutions_get(InstitutionsGetRequest(count=10, offset=0, country_codes=US))
    told("institutions_get", holds=listed.total >= len(listed.institutions) > 0)
    one = client.institutions_get_by_id(
        InstitutionsGetByIdRequest(institution_id=CHASE, country_codes=US)
    )
    told("institutions_get_by_id", holds=one.institution.name == "Chase")
    found = client.institutions_search(
        InstitutionsSearchRequest(query="chase", products=TRANSACTIONS, country_codes=US)
    )
    told("institutions_search", holds=CHASE in {i.institution_id for i in found.institutions})


def webhooks(client: PlaidApi, token: str, base_url: str) -> None:
    """A webhook that is fired, and the key that proves it."""
    moved = client.item_webhook_update(
        ItemWebhookUpdateRequest(access_token=token, webhook=f"{HOOK}/2")
    )
    told("item_webhook_update", holds=moved.item.webhook == f"{HOOK}/2")
    fired = client.sandbox_item_fire_webhook(
        SandboxItemFireWebhookRequest(access_token=token, webhook_code="SYNC_UPDATES_AVAILABLE")
    )
    told("sandbox_item_fire_webhook", holds=fired.webhook_fired)
    with urlopen(f"{base_url}/_control/webhooks", timeout=10) as response:
        proof = json.load(response)["webhooks"][-1]["headers"]["Plaid-Verification"]
    key_id = header_of(proof)["kid"]
    key = client.webhook_verification_key_get(WebhookVerificationKeyGetRequest(key_id=key_id)).key
    told("webhook_verification_key_get", holds=(key.kid, key.crv) == (key_id, "P-256"))


def header_of(proof: str) -> dict[str, str]:
    """The protected header of a JWT, unproven."""
    head = proof.split(".", maxsplit=1)[0]
    header: dict[str, str] = json.loads(urlsafe_b64decode(head + "=" * (-len(head) % 4)))
    return header


def errors(client: PlaidApi, token: str, base_url: str) -> None:
    """A login that breaks, keys that are refused, and an Item's end."""
    client.sandbox_item_reset_login(SandboxItemResetLoginRequest(access_token=token))
    code = error_code(lambda: client.accounts_get(AccountsGetRequest(access_token=token)))
    told("a broken login is ITEM_LOGIN_REQUIRED", holds=code == "ITEM_LOGIN_REQUIRED", why=code)
    item = client.item_get(ItemGetRequest(access_token=token)).item
    told("  as the Item says itself", holds=item.error.error_code == "ITEM_LOGIN_REQUIRED")
    made = client.link_token_create(
        LinkTokenCreateRequest(
            client_name="Journey",
            language="en",
            country_codes=US,
            user=LinkTokenCreateRequestUser(client_user_id="journey-0123456789abcdef"),
            access_token=token,
        )
    )
    completed = post(base_url, "/_control/complete", {"linkToken": made.link_token})
    mended = client.item_public_token_exchange(
        ItemPublicTokenExchangeRequest(public_token=str(completed["temporaryToken"]))
    )
    told("update mode mends the same Item", holds=mended.access_token == token)
    client.accounts_get(AccountsGetRequest(access_token=token))
    other = client_of(base_url, secret="another")
    code = error_code(lambda: other.accounts_get(AccountsGetRequest(access_token=token)))
    told("other keys are INVALID_API_KEYS", holds=code == "INVALID_API_KEYS", why=code)
    rotated = client.item_access_token_invalidate(
        ItemAccessTokenInvalidateRequest(access_token=token)
    ).new_access_token
    code = error_code(lambda: client.accounts_get(AccountsGetRequest(access_token=token)))
    told("a replaced token is INVALID_ACCESS_TOKEN", holds=code == "INVALID_ACCESS_TOKEN", why=code)
    client.item_remove(ItemRemoveRequest(access_token=rotated))
    code = error_code(lambda: client.accounts_get(AccountsGetRequest(access_token=rotated)))
    told("a removed Item is ITEM_NOT_FOUND", holds=code == "ITEM_NOT_FOUND", why=code)


def shortcut(client: PlaidApi) -> None:
    """Plaid's own way past the widget, and transactions that are made up."""
    made = client.sandbox_public_token_create(
        SandboxPublicTokenCreateRequest(
            institution_id=TEST_BANK,
            initial_products=TRANSACTIONS,
            options=SandboxPublicTokenCreateRequestOptions(
                override_username="user_transactions_dynamic", override_password="pass_good"
            ),
        )
    )
    token = client.item_public_token_exchange(
        ItemPublicTokenExchangeRequest(public_token=made.public_token)
    ).access_token
    told("sandbox_public_token_create", holds=bool(token))
    cursor = client.transactions_sync(
        TransactionsSyncRequest(access_token=token, count=500)
    ).next_cursor
    yesterday = date.today() - timedelta(days=1)  # noqa: DTZ011  within the last fourteen days
    client.sandbox_transactions_create(
        SandboxTransactionsCreateRequest(
            access_token=token,
            transactions=[
                CustomSandboxTransaction(
                    date_transacted=yesterday,
                    date_posted=yesterday,
                    amount=12.34,
                    description="TEA",
                )
            ],
        )
    )
    page = client.transactions_sync(TransactionsSyncRequest(access_token=token, cursor=cursor))
    told(
        "sandbox_transactions_create",
        holds=[(r.name, r.amount) for r in page.added] == [("TEA", 12.34)],
    )


def main(base_url: str) -> None:
    """The whole journey."""
    client = client_of(base_url)
    token, _item_id = linked(client, base_url)
    accounts(client, token)
    transactions(client, token)
    directory(client)
    webhooks(client, token, base_url)
    errors(client, token, base_url)
    shortcut(client)


if __name__ == "__main__":
    main(sys.argv[1].rstrip("/"))
