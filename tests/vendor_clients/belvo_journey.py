"""Belvo's unchanged Python client, from the widget's token to the movements, against a sandbox.

Usage: python belvo_journey.py SANDBOX_URL, with what belvo-requirements.txt pins.
"""

import json
import sys
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any
from urllib.request import Request, urlopen

from belvo.client import Client
from belvo.enums import AccessMode
from belvo.exceptions import BelvoAPIException, RequestError

BANK = "erebor_mx_retail"
NOWHERE = "00000000-0000-4000-8000-000000000000"


def step(what: str) -> None:
    """Tell what has been shown."""
    print(f"belvo: {what}", flush=True)


def control(sandbox_url: str, method: str, path: str, body: object = None) -> Any:
    """Play the user, or have something go wrong."""
    request = Request(
        f"{sandbox_url}/_control/{path}",
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urlopen(request, timeout=10) as response:
        return json.loads(response.read() or b"null")


def refusal(call: Callable[[], object]) -> tuple[int, dict[str, Any]]:
    """Status and first entry of the error that a call ends with."""
    try:
        call()
    except RequestError as error:
        return error.status_code, error.detail[0]
    raise AssertionError("it was not refused")


def link_through_widget(belvo: Client, sandbox_url: str) -> str:
    """The id of a link that a user has made in the widget."""
    told = belvo.WidgetToken.create(
        widget={"callback_urls": {"success": "https://app.test/done"}}, raise_exception=True
    )
    assert set(told) == {"access", "refresh"}
    asked = {"linkToken": told["access"], "institutionId": "test_erebor"}
    return str(control(sandbox_url, "POST", "complete", asked)["temporaryToken"])


def read_stored(belvo: Client, link_id: str, since: date) -> None:
    """List what is stored, page by page, and look at one of each."""
    accounts = list(belvo.Accounts.list(link=link_id))
    assert belvo.Accounts.get(accounts[0]["id"]) == accounts[0]
    rows = list(belvo.Transactions.list(link_id, page_size=50, value_date__gte=since.isoformat()))
    assert len(rows) > 50
    assert len({row["id"] for row in rows}) == len(rows)
    assert {row["type"] for row in rows} == {"INFLOW", "OUTFLOW"}
    assert belvo.Transactions.get(rows[0]["id"])["amount"] == rows[0]["amount"]
    step(f"{len(accounts)} accounts, {len(rows)} transactions listed")


def read_live(belvo: Client, link_id: str, since: date) -> None:
    """Have everything read at the bank."""
    accounts = belvo.Accounts.create(link_id, raise_exception=True)
    rows = belvo.Transactions.create(
        link_id,
        since.isoformat(),
        date_to=date.today().isoformat(),  # noqa: DTZ011  as the client has it
        account=accounts[0]["id"],
        raise_exception=True,
    )
    balances = belvo.Balances.create(link_id, since.isoformat(), raise_exception=True)
    assert {row["account"]["id"] for row in rows} == {accounts[0]["id"]}
    step(f"{len(accounts)} accounts, {len(rows)} transactions, {len(balances)} balances read live")


def give_code(belvo: Client, sandbox_url: str, link_id: str) -> None:
    """Be asked for a one-time code, and go on with it."""
    fault = {"provider": "belvo", "kind": "error", "errorCode": "token_required"}
    control(sandbox_url, "PUT", "faults", {"faults": [fault]})
    status, asked = refusal(lambda: belvo.Accounts.create(link_id, raise_exception=True))
    assert (status, asked["code"]) == (428, "token_required")
    control(sandbox_url, "DELETE", "faults")
    assert belvo.Links.get(link_id)["status"] == "token_required"
    assert belvo.Accounts.resume(asked["session"], "1234", link=link_id, raise_exception=True)
    assert belvo.Links.get(link_id)["status"] == "valid"
    step("a one-time code was asked for and taken")


def change_links(belvo: Client) -> None:
    """Make a link by hand, change it and end it."""
    made = belvo.Links.create(BANK, "bnk100", "full", external_id="our-user", raise_exception=True)
    single = belvo.Links.patch(made["id"], access_mode=AccessMode.SINGLE, raise_exception=True)
    renewed = belvo.Links.update(made["id"], password="another", raise_exception=True)
    assert (single["access_mode"], renewed["status"]) == ("single", "valid")
    assert belvo.WidgetToken.create(link=made["id"], raise_exception=True)["access"]
    assert [row["id"] for row in belvo.Links.list(external_id="our-user")] == [made["id"]]
    assert belvo.Links.delete(made["id"])
    assert not belvo.Links.delete(made["id"])
    step("a link was made, changed and ended")


def main(sandbox_url: str) -> None:
    """Walk through; raises at the first thing that is not as it should be."""
    url = f"{sandbox_url}/belvo"
    belvo = Client("sandbox_id", "sandbox_password", url)
    assert BANK in {row["name"] for row in belvo.Institutions.list(country_code="MX")}
    link_id = link_through_widget(belvo, sandbox_url)
    link = belvo.Links.get(link_id)
    assert (link["institution"], link["status"]) == (BANK, "valid")
    step(f"linked {link['institution']} through the widget")

    since = date.today() - timedelta(days=90)  # noqa: DTZ011  as the client has it
    read_stored(belvo, link_id, since)
    read_live(belvo, link_id, since)
    give_code(belvo, sandbox_url, link_id)
    change_links(belvo)

    for expected, call in (
        ((404, "not_found"), lambda: belvo.Accounts.create(NOWHERE, raise_exception=True)),
        (
            (400, "login_error"),
            lambda: belvo.Links.create(BANK, "bnk100", "wrong", raise_exception=True),
        ),
    ):
        status, error = refusal(call)
        assert (status, error["code"]) == expected
    try:
        Client("sandbox_id", "another", url)
    except BelvoAPIException:
        step("errors are Belvo's own")
    else:
        raise AssertionError("wrong keys were taken")


if __name__ == "__main__":
    main(sys.argv[1].rstrip("/"))
