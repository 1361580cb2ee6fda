"""The same user has the same money at every vendor."""

from decimal import Decimal
from typing import Any

import pytest

from tests.support.sandbox import running_sandbox
from tests.support.vendor_callers import BelvoCaller, FinicityCaller, MxCaller, PlaidCaller

Caller = type[PlaidCaller] | type[FinicityCaller] | type[BelvoCaller]
BANKS: list[tuple[Caller, str | int, str]] = [
    (PlaidCaller, "ins_56", "chase"),
    (PlaidCaller, "ins_127989", "bank_of_america"),
    (PlaidCaller, "ins_5", "citibank"),
    (FinicityCaller, 5, "chase"),
    (FinicityCaller, 11, "citibank"),
    (BelvoCaller, "ins_bbva_mx", "bbva_mexico"),
    (BelvoCaller, "ins_banorte_mx", "banorte"),
]
"""A vendor, what it calls a bank, and what MX calls it, which serves them all."""


@pytest.mark.parametrize(("caller", "there", "at_mx"), BANKS)
async def test_every_vendor_shows_the_same_movements(
    caller: Caller, there: Any, at_mx: str
) -> None:
    """Account by account, a vendor and MX tell the same amounts on the same days."""
    async with running_sandbox() as running:
        vendor, mx = caller(running), MxCaller(running)
        await vendor.link(there)
        await mx.link(at_mx)
        theirs, others = await vendor.rows(), await mx.rows()

    assert len(theirs) > 900
    assert any(row.posted_on is None for row in theirs)
    assert theirs == others


async def test_balances_are_the_same_everywhere() -> None:
    """The same accounts stand at the same balances at Plaid, MX and Finicity, at Belvo and MX."""
    async with running_sandbox() as running:
        plaid, belvo, mx = PlaidCaller(running), BelvoCaller(running), MxCaller(running)
        finicity = FinicityCaller(running)
        await finicity.link()
        await plaid.link("ins_56")
        await belvo.link("ins_bbva_mx")
        await mx.link("chase")
        us_mx = {r["account_number"][-4:]: r["balance"] for r in await mx.listing("accounts")}
        await mx.link("bbva_mexico")
        mexican_mx = {r["account_number"][-4:]: r["balance"] for r in await mx.listing("accounts")}
        us = {
            row["mask"]: row["balances"]["current"]
            for row in (await plaid.read("/accounts/get")).body["accounts"]
        }
        mexican = {
            row["number"][-4:]: row["balance"]["current"] for row in await belvo.listing("accounts")
        }

        at_finicity = {
            row["accountNumberDisplay"]: row["balance"] for row in await finicity.accounts()
        }

    assert us == us_mx == at_finicity
    assert mexican == mexican_mx
    assert all(isinstance(value, Decimal) for value in us.values())


async def test_each_vendor_has_ids_of_its_own() -> None:
    """No account or transaction id of one vendor turns up at another."""
    async with running_sandbox() as running:
        plaid, mx = PlaidCaller(running), MxCaller(running)
        await plaid.link("ins_56")
        await mx.link("chase")
        at_plaid = {r["transaction_id"] async for p in plaid.pages() for r in p["added"]}
        at_mx = {r["guid"] for r in await mx.listing("transactions", records_per_page="1000")}

    assert at_plaid
    assert at_mx
    assert not at_plaid & at_mx
