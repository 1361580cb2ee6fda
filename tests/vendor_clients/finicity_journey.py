"""Links and reads at the sandbox's Finicity with a client that is made from Finicity's document.

There is no public client of Finicity's for Python, so one is generated each time, into a folder that
is gone afterwards, from the OpenAPI document in `PROVIDER_SPECS_DIR`. Exit codes: 0 all went well,
1 something did not, 77 the document is not at hand.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

SKIPPED = 77
GENERATING_S = 240
CALLING_S = 20.0
USERNAME = "journey_0123456789abcdef"
BANK = 5
WINDOW = {"from_date": 1_577_836_800, "to_date": 4_102_444_799}


class Wrong(Exception):
    """The client was told something that it should not have been."""


def holds(fact: object, what: str) -> None:
    """End the journey unless this is so."""
    if not fact:
        raise Wrong(what)
    print(f"  {what}")


def mended(document: dict[str, Any]) -> dict[str, Any]:
    """The document without the two places where it contradicts itself.

    A nickname is wanted of every account and is none of its properties; an error's code is an
    object by its type, and a number or a text by its words and by all its examples.
    """
    schemas = document["components"]["schemas"]
    schemas["CustomerAccount"]["required"].remove("accountNickname")
    code = schemas["ErrorMessage"]["properties"]["code"]
    code |= {"oneOf": [{"type": "string"}, {"type": "integer"}]}
    del code["type"]
    return document


def generate(specs: Path, into: Path) -> None:
    """Make the client: a package `finicity_client` below the folder, which can then be imported."""
    document = json.loads((specs / "finicity.trimmed.json").read_text("utf-8"))
    source = into / "openapi.json"
    source.write_text(json.dumps(mended(document)), encoding="utf-8")
    command = ["-m", "openapi_python_client", "generate", "--meta", "none", "--path", str(source)]
    made = subprocess.run(
        [sys.executable, *command, "--output-path", str(into / "finicity_client")],
        capture_output=True,
        text=True,
        timeout=GENERATING_S,
        check=False,
    )
    if made.returncode != 0:
        raise Wrong(f"no client could be generated:\n{made.stdout}{made.stderr}")
    sys.path.insert(0, str(into))


def endpoint(path: str) -> Callable[..., Any]:
    """The function of the generated client that calls this endpoint; it answers status and body."""
    call: Callable[..., Any] = import_module(f"finicity_client.api.{path}").sync_detailed
    return call


def model(module: str, name: str) -> Any:
    """A class of the generated client's."""
    return getattr(import_module(f"finicity_client.models.{module}"), name)


def played(root: str, link: str) -> str:
    """What Connect hands to the front end once the user is through."""
    request = urllib.request.Request(
        f"{root}/_control/complete",
        json.dumps({"linkUrl": link}).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=CALLING_S) as answer:
        return str(json.load(answer)["temporaryToken"])


def client_for(base_url: str, token: str | None = None) -> Any:
    """The generated client with our key, and with a token once there is one."""
    headers = {"Finicity-App-Key": "sandbox_app_key", "Accept": "application/json"}
    if token is not None:
        headers["Finicity-App-Token"] = token
    http = import_module("httpx")
    made = import_module("finicity_client.client").Client(
        base_url=base_url, headers=headers, timeout=http.Timeout(CALLING_S)
    )
    made.raise_on_unexpected_status = True
    return made


def signed_in(base_url: str) -> Any:
    """A client with a token; a wrong secret first."""
    credentials = model("partner_credentials", "PartnerCredentials")
    create = endpoint("authentication.create_token")
    bare = client_for(base_url)
    wrong = create(client=bare, body=credentials("sandbox_partner", "wrong"))
    holds(
        (wrong.status_code, wrong.parsed.code) == (401, "10001"), "a wrong secret is refused: 10001"
    )
    good = create(client=bare, body=credentials("sandbox_partner", "sandbox_secret"))
    holds(good.status_code == 200 and good.parsed.token, "a token is given")
    return client_for(base_url, good.parsed.token)


def customer_of(client: Any) -> str:
    """The journey's customer, made once and found again."""
    add = endpoint("customers.add_testing_customer")
    body = model("new_customer", "NewCustomer")(username=USERNAME)
    add(client=client, body=body)
    again = add(client=client, body=body)
    holds((again.status_code, again.parsed.code) == (409, "110002"), "a name is taken once: 110002")
    found = endpoint("customers.get_customers")(client=client, username=USERNAME)
    holds(len(found.parsed.customers) == 1, "the customer is found by its name")
    return str(found.parsed.customers[0].id)


def linked(client: Any, root: str, customer_id: str) -> str:
    """A login of the customer's, through Connect."""
    parameters = model("lite_connect_parameters", "LiteConnectParameters")
    body = parameters(partner_id="sandbox_partner", customer_id=customer_id, institution_id=BANK)
    made = endpoint("connect.generate_lite_connect_url")(client=client, body=body)
    holds(made.parsed.link.startswith("https://"), "Connect has an address")
    login_id = played(root, made.parsed.link)
    holds(login_id.isdecimal(), "the user has linked a bank")
    return login_id


def read_accounts(client: Any, customer_id: str, login_id: str) -> list[Any]:
    """The login's accounts."""
    path = "accounts.get_customer_accounts_by_institution_login"
    answer = endpoint(path)(customer_id, login_id, client=client)
    accounts = list(answer.parsed.accounts)
    holds(accounts, f"{len(accounts)} accounts are read")
    holds(
        all(one.aggregation_status_code == 0 and one.balance is not None for one in accounts),
        "each has a balance and was read without trouble",
    )
    nobodys = endpoint(path)(customer_id, "1", client=client)
    holds(
        (nobodys.status_code, nobodys.parsed.code) == (404, "38007"),
        "a login of nobody's has none: 38007",
    )
    return accounts


def read_movements(client: Any, customer_id: str, account_id: str) -> None:
    """Every page of an account's movements."""
    call = endpoint("transactions.get_customer_account_transactions")
    asked = {"client": client, **WINDOW, "sort": "asc", "include_pending": True, "limit": 100}
    rows: list[Any] = []
    while True:
        page = call(customer_id, account_id, start=len(rows) + 1, **asked).parsed
        rows += page.transactions
        if page.more_available != "true":
            break
    holds(len(rows) == page.found > 100, f"{len(rows)} movements are read, a hundred a page")
    holds(len({row.id for row in rows}) == len(rows), "each came once")
    none = call(customer_id, account_id, start=0, **asked)
    holds((none.status_code, none.parsed.code) == (400, "41003"), "there is no record zero: 41003")


def refreshed(client: Any, customer_id: str, login_id: str) -> None:
    """A refresh is begun and looked at."""
    body = model("initiate_new_transaction_refresh", "InitiateNewTransactionRefresh")
    begun = endpoint("transactions.refresh_transactions")(
        customer_id, client=client, body=body(institution_login_id=login_id, mode="standard")
    )
    holds(begun.status_code == 202, "a refresh is begun")
    look = endpoint("transactions.get_transaction_refresh_status")
    status = look(customer_id, begun.parsed.refresh_id, client=client).parsed.status
    holds(status in ("IN_PROGRESS", "COMPLETED"), f"and is {status}")


def journey(root: str, base_url: str) -> None:
    """Everything, in the order in which an application would do it."""
    client = signed_in(base_url)
    banks = endpoint("institutions.get_institutions")(client=client, search="chase")
    found = [bank.id for bank in banks.parsed.institutions]
    holds(BANK in found, "the bank is found by name")
    customer_id = customer_of(client)
    login_id = linked(client, root, customer_id)
    accounts = read_accounts(client, customer_id, login_id)
    read_movements(client, customer_id, accounts[0].id)
    refreshed(client, customer_id, login_id)
    path = "accounts.delete_customer_accounts_by_institution_login"
    ended = endpoint(path)(customer_id, login_id, client=client)
    holds(ended.status_code == 204, "the login is ended")


def main() -> int:
    """Make the client and send it; answers the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sandbox_url", metavar="SANDBOX_URL")
    root = parser.parse_args().sandbox_url.rstrip("/")
    if urlsplit(root).hostname not in ("127.0.0.1", "localhost", "::1"):
        parser.error("the journey goes to a sandbox on this machine and nowhere else")
    specs = os.environ.get("PROVIDER_SPECS_DIR")
    if not specs:
        print("finicity: skipped, PROVIDER_SPECS_DIR is not set")
        return SKIPPED
    with tempfile.TemporaryDirectory() as folder:
        try:
            generate(Path(specs), Path(folder))
            journey(root, f"{root}/finicity")
        except Wrong as wrong:
            print(f"finicity: {wrong}", file=sys.stderr)
            return 1
    print("finicity: the generated client is at home")
    return 0


if __name__ == "__main__":
    sys.exit(main())
