"""ccxt's unchanged client of Bitso, from the key to the movements, against a running sandbox.

Usage: python bitso_journey.py SANDBOX_URL, with what bitso-requirements.txt pins.
"""

import json
import sys
from collections import defaultdict
from decimal import Decimal
from urllib.request import Request, urlopen

import ccxt

ASKED = {"linkSessionId": "ls_" + "0" * 32, "institutionId": "ins_bitso"}


def step(what: str) -> None:
    """Tell what has been shown."""
    print(f"bitso: {what}", flush=True)


def user_key(sandbox_url: str) -> dict[str, str]:
    """What the user types into the form."""
    request = Request(
        f"{sandbox_url}/_control/complete",
        data=json.dumps(ASKED).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urlopen(request, timeout=10) as response:
        return dict(json.load(response)["temporaryToken"])


def client(sandbox_url: str, key: str, secret: str) -> ccxt.bitso:
    """The client; nothing of it is changed but the address, for which it has a setting."""
    made = ccxt.bitso({"apiKey": key, "secret": secret, "enableRateLimit": False})
    made.urls["api"]["rest"] = f"{sandbox_url}/bitso/api"
    return made


def whole_ledger(bitso: ccxt.bitso) -> list[dict[str, object]]:
    """Every entry, oldest first, page by page."""
    entries: list[dict[str, object]] = []
    query = {"sort": "asc"}
    while True:
        page = [row["info"] for row in bitso.fetch_ledger(limit=100, params=query)]
        entries += page
        if len(page) < 100:
            return entries
        query = {"sort": "asc", "marker": page[-1]["eid"]}


def main(sandbox_url: str) -> None:
    """Walk through; raises at the first thing that is not as it should be."""
    given = user_key(sandbox_url)
    bitso = client(sandbox_url, given["apiKey"], given["apiSecret"])

    markets = bitso.load_markets()
    assert {"BTC/MXN", "XRP/MXN"} <= set(markets)
    step(f"{len(markets)} markets, {len(bitso.currencies)} currencies")

    status = bitso.private_get_account_status()
    assert status["payload"]["client_id"]
    step("the key's owner is known")

    totals = {
        code: Decimal(str(total))
        for code, total in bitso.fetch_balance()["total"].items()
        if Decimal(str(total))
    }
    assert {"MXN", "BTC", "XRP"} <= set(totals)
    step(f"balances in {', '.join(sorted(totals))}")

    entries = whole_ledger(bitso)
    assert len({entry["eid"] for entry in entries}) == len(entries) > 200
    sums: dict[str, Decimal] = defaultdict(Decimal)
    for entry in entries:
        for update in entry["balance_updates"]:
            sums[update["currency"].upper()] += Decimal(update["amount"])
    for code, total in totals.items():
        assert abs(sums[code] - total) < Decimal("0.000001"), (code, sums[code], total)
    step(f"{len(entries)} ledger entries, whose sums are the balances")

    trades = bitso.fetch_my_trades("BTC/MXN", limit=50)
    deposits = bitso.fetch_deposits()
    one = bitso.fetch_deposit(deposits[0]["id"])
    assert trades
    assert "pending" in {deposit["status"] for deposit in deposits}
    assert one["amount"] == deposits[0]["amount"]
    withdrawals = bitso.private_get_withdrawals()["payload"]
    assert withdrawals
    step(f"{len(trades)} trades, {len(deposits)} deposits, {len(withdrawals)} withdrawals")

    for key, secret, wanted in (
        ("another_key", given["apiSecret"], ccxt.AuthenticationError),
        (given["apiKey"], "another_secret", ccxt.ExchangeError),
    ):
        try:
            client(sandbox_url, key, secret).private_get_balance()
        except wanted:
            continue
        raise AssertionError(f"{wanted.__name__} did not come")
    step("a wrong key and a wrong secret are refused")


if __name__ == "__main__":
    main(sys.argv[1].rstrip("/"))
