"""A caller that follows its cursor holds what the bank shows, at vendors that tell no removals too."""

from pathlib import Path
from typing import Any

import pytest

from tests.support.system import System, running_system

DAY_S = 86_400.0
USERS = ["user-1", "user-3", "user-4"]


async def synced(system: System, **params: object) -> Any:
    """One answer of `syncTransactions`, which holds all there is."""
    data = (await system.call("syncTransactions", {"spaceId": "space_1", **params})).data

    assert not data["hasMore"]

    return data


def later(system: System, days: float) -> None:
    """Let time pass, here and at the vendors."""
    system.clock.jump(days * DAY_S)
    system.sandbox.clock.move(days=days)


def by_id(data: Any) -> dict[str, Any]:
    """Its movements by id."""
    return {row["transactionId"]: row for row in data["transactions"]}


@pytest.mark.parametrize("user", USERS)
@pytest.mark.parametrize(
    ("provider", "home", "removes"),
    [
        ("plaid", ("ins_chase", "US"), True),
        ("mx", ("ins_chase", "US"), True),
        ("finicity", ("ins_chase", "US"), True),
        ("belvo", ("ins_bbva_mx", "MX"), None),
        ("bitso", ("ins_bitso", "MX"), None),
    ],
)
async def test_what_was_told_less_what_was_removed_is_what_there_is(
    provider: str, home: tuple[str, str], removes: bool | None, user: str, tmp_path: Path
) -> None:
    """Day after day, following the cursor leads to exactly what a fresh reading shows.

    Belvo keeps a row's id from pending to processed, so that little has to go there. Bitso's ledger
    only grows; a funding that is under way has an id of its own, which goes once it is booked.
    """
    async with running_system(tmp_path, providers=(provider,)) as system:
        await system.link("space_1", home[0], provider, home[1], user)
        first = await synced(system)
        known, cursor, removed = by_id(first), first["nextCursor"], 0
        oldest = min(row["date"] for row in first["transactions"])
        for _ in range(8):
            later(system, 1.0)
            change = await synced(system, cursor=cursor)
            cursor = change["nextCursor"]
            for gone in change["removed"]:
                removed += known.pop(gone, None) is not None
            known |= by_id(change)
            fresh = by_id(await synced(system, startDate=oldest))

            assert set(fresh) == set(known)
            assert fresh == known
        assert removes in (None, bool(removed))


async def test_a_row_that_vanished_before_a_cursor_is_not_told_again(tmp_path: Path) -> None:
    """Each cursor is told what went since its own reading, and no more."""
    async with running_system(tmp_path, providers=("mx",)) as system:
        await system.link("space_1", "ins_chase", "mx", user=USERS[0])
        cursor = (await synced(system))["nextCursor"]
        later(system, 4.0)
        first = await synced(system, cursor=cursor)
        again = await synced(system, cursor=cursor)
        after = await synced(system, cursor=first["nextCursor"])

        assert first["removed"]
        assert first["removed"] == again["removed"]
        assert [] == after["removed"]


async def test_an_empty_listing_after_a_cursor_is_not_believed(tmp_path: Path) -> None:
    """Nothing where there was much is a wrong success, until it has been said for an hour."""
    async with running_system(tmp_path, providers=("mx",)) as system:
        await system.link("space_1", "ins_chase", "mx", user=USERS[0])
        cursor = (await synced(system))["nextCursor"]
        await system.sandbox.put_faults(
            {"provider": "mx", "operation": "syncTransactions", "kind": "empty"}
        )
        codes = []
        for _ in range(3):
            answer = await system.call("syncTransactions", {"spaceId": "space_1", "cursor": cursor})
            codes.append(answer.body["attempts"][0]["errorCode"])
            later(system, 0.03)
        believed = await synced(system, cursor=cursor)

        assert {"WRONG_SUCCESS_EMPTY"} == set(codes[:2])
        assert believed["removed"]
