"""Belvo's links in the sandbox: how they are made and changed, and what is stored of them when."""

from decimal import Decimal

import pytest
from belvo_visits import code, link_of, linked, live, resume

from sandbox.options import SandboxOptions
from tests.support.sandbox import running_sandbox
from tests.support.vendor_callers import BelvoCaller


async def test_the_first_data_are_gathered_for_a_while() -> None:
    """Until then nothing is stored, and the link was never let in."""
    async with linked(belvo_gathering_s=60.0) as (running, belvo):
        early = (await link_of(belvo))["last_accessed_at"]
        nothing = [*await belvo.listing("accounts"), *await belvo.listing("transactions")]
        running.clock.move(seconds=60)
        late = (await link_of(belvo))["last_accessed_at"]
        accounts = await belvo.listing("accounts")

    assert (early, nothing) == (None, [])
    assert late is not None
    assert accounts


@pytest.mark.parametrize(
    ("days", "read_on"), [(1, "2026-03-28"), (7, "2026-03-25"), (0, "2026-03-18")]
)
async def test_belvo_reads_a_recurrent_link_by_itself_now_and_then(days: int, read_on: str) -> None:
    """What is stored is of its last reading, however long ago."""
    async with linked(belvo_refresh_days=days) as (running, belvo):
        running.clock.move(days=10)
        accounts = await belvo.listing("accounts")
        newest = max(row["value_date"] for row in await belvo.listing("transactions"))
        told = await link_of(belvo)

    assert {row["collected_at"][:10] for row in accounts} == {read_on}
    assert told["last_accessed_at"][:10] == read_on
    assert newest <= read_on


async def test_a_single_link_is_read_when_asked_to_alone() -> None:
    """What was stored before it became single stays, and no more comes by itself."""
    async with linked() as (running, belvo):
        running.clock.move(days=3)
        single = await belvo.call(
            "PATCH", f"/api/links/{belvo.link_id}/", {"access_mode": "single"}
        )
        before = await belvo.listing("transactions")
        running.clock.move(days=6)
        meanwhile = await belvo.listing("transactions")
        asked = await live(belvo, date_to="2026-03-27")
        after = await belvo.listing("transactions")

    assert (single.body["access_mode"], single.body["refresh_rate"]) == ("single", None)
    assert before == meanwhile
    assert asked.status == 201
    assert len(after) > len(before)


async def test_what_is_not_saved_is_told_and_not_stored() -> None:
    """`save_data` false answers 200 and leaves the store as it was."""
    async with linked(belvo_refresh_days=0) as (running, belvo):
        running.clock.move(days=8)
        before = await belvo.listing("transactions")
        told = await live(belvo, date_to="2026-03-26", save_data=False)
        after = await belvo.listing("transactions")

    assert told.status == 200
    assert max(row["value_date"] for row in told.body) > "2026-03-18"
    assert before == after


@pytest.mark.parametrize(("movement_ids", "times"), [("lasting", 1), ("per_retrieval", 2)])
async def test_ids_last_or_do_not(movement_ids: str, times: int) -> None:
    """Where they do not, a second reading of the same days stores each movement once more."""
    async with linked(belvo_movement_ids=movement_ids) as (_, belvo):
        before = await belvo.listing("transactions", value_date__gte="2026-02-01")
        told = await live(belvo)
        after = await belvo.listing("transactions", value_date__gte="2026-02-01")

    assert len(after) == times * len(before)
    assert {row["id"] for row in told.body} <= {row["id"] for row in after}


async def test_a_link_is_made_with_a_users_credentials() -> None:
    """Institution, user and password are wanted; another access mode or a wrong password is refused."""
    async with running_sandbox() as running:
        belvo = BelvoCaller(running)
        body = {"institution": "erebor_mx_retail", "username": "bnk100", "password": "full"}
        made = await belvo.call("POST", "/api/links/", {**body, "external_id": "our-user"})
        again = await belvo.call("POST", "/api/links/", {**body, "access_mode": "single"})
        refused = [
            await belvo.call("POST", "/api/links/", {**body, **wrong})
            for wrong in (
                {"institution": "narnia"},
                {"password": "wrong"},
                {"password": None},
                {"access_mode": "always"},
                {"external_id": "ab"},
            )
        ]
        belvo.link_id = made.body["id"]
        accounts = await belvo.listing("accounts")
        listed = await belvo.call("GET", "/api/links/", query={"access_mode": "single"})

    assert (made.status, made.body["institution"], made.body["external_id"]) == (
        201,
        "erebor_mx_retail",
        "our-user",
    )
    assert accounts
    assert [row["id"] for row in listed.body["results"]] == [again.body["id"]]
    assert [code(reply) for reply in refused] == [
        (400, "does_not_exist"),
        (400, "login_error"),
        (400, "required"),
        (400, "invalid_choice"),
        (400, "invalid"),
    ]


async def test_a_new_link_may_want_a_code_first() -> None:
    """Until it comes the link is unconfirmed, and nothing can be read through it."""
    async with running_sandbox(options=SandboxOptions(belvo_asks_code=True)) as running:
        belvo = BelvoCaller(running)
        body = {"institution": "erebor_mx_retail", "username": "bnk100", "password": "full"}
        asked = await belvo.call("POST", "/api/links/", body)
        belvo.link_id = asked.body[0]["link"]
        unconfirmed = await link_of(belvo)
        too_early = await live(belvo, "accounts")
        done = await resume(belvo, "links", asked.body[0]["session"])

    assert code(asked) == (428, "token_required")
    assert unconfirmed["status"] == "unconfirmed"
    assert code(too_early) == (400, "unconfirmed_link")
    assert (done.status, done.body["status"]) == (200, "valid")


async def test_a_link_without_stored_credentials_stays_single() -> None:
    """Belvo cannot come back to a bank without them."""
    async with running_sandbox() as running:
        belvo = BelvoCaller(running)
        token = await belvo.widget_token(
            credentials_storage="nostore", widget={"access_mode": "single"}
        )
        link_id = await running.complete(token=token, institution_id="ins_bbva_mx")
        reply = await belvo.call("PATCH", f"/api/links/{link_id}/", {"access_mode": "recurrent"})

    assert code(reply) == (400, "invalid_access_mode_switch")


async def test_details_are_those_of_the_lists() -> None:
    """One account, transaction, balance or institution is told as in its list."""
    async with linked() as (_, belvo):
        pairs = []
        for name in ("accounts", "transactions", "balances", "institutions"):
            listed = (await belvo.call("GET", f"/api/{name}/", query={"link": belvo.link_id})).body[
                "results"
            ]
            one = await belvo.call("GET", f"/api/{name}/{listed[0]['id']}/")
            none = await belvo.call("GET", f"/api/{name}/00000000-0000-4000-8000-000000000000/")
            pairs.append((listed[0], one.body, code(none)))

    assert all(listed == one for listed, one, _ in pairs)
    assert {none for _, _, none in pairs} == {(404, "not_found")}


async def test_balances_are_of_accounts_that_hold_money_day_by_day() -> None:
    """A live reading tells each day of its window, of one account where one is asked for."""
    async with linked() as (_, belvo):
        accounts = {row["id"]: row for row in await belvo.listing("accounts")}
        everything = await live(belvo, "balances", date_from="2026-03-16")
        first = everything.body[0]["account"]["id"]
        one = await live(belvo, "balances", date_from="2026-03-16", account=first)
        stored = await belvo.listing("balances", account=first)

    days = ["2026-03-16", "2026-03-17", "2026-03-18"]
    assert {accounts[row["account"]["id"]]["category"] for row in everything.body} == {
        "CHECKING_ACCOUNT",
        "SAVINGS_ACCOUNT",
    }
    assert [row["value_date"] for row in one.body] == days
    assert one.body[-1]["balance"] == accounts[first]["balance"]["current"]
    assert stored[-3:] == one.body
    assert isinstance(one.body[0]["balance"], Decimal)


async def test_a_clabe_ends_in_its_check_digit() -> None:
    """Eighteen digits, of which the weighted sum is a multiple of ten."""
    async with linked() as (_, belvo):
        rows = [row for row in await belvo.listing("accounts") if row["public_identification_name"]]

    assert rows
    for row in rows:
        digits = [int(digit) for digit in row["public_identification_value"]]
        weighted = [digit * (3, 7, 1)[at % 3] % 10 for at, digit in enumerate(digits[:17])]
        assert len(digits) == 18
        assert (sum(weighted) + digits[17]) % 10 == 0
        assert row["public_identification_value"][13:17] == row["number"][-4:]
