"""An exchange whose end nobody knows: asked again where asking uses nothing up, never elsewhere."""

from pathlib import Path

import pytest

from tests.support.system import running_system


@pytest.mark.parametrize(
    ("provider", "home"),
    [
        ("mx", ("ins_chase", "US")),
        ("finicity", ("ins_chase", "US")),
        ("belvo", ("ins_bbva_mx", "MX")),
    ],
)
async def test_a_doubt_is_cleared_by_asking_where_nothing_is_used_up(
    provider: str, home: tuple[str, str], tmp_path: Path
) -> None:
    """The same key, and another one, get the connection that a lost attempt had been to make."""
    async with running_system(tmp_path, providers=(provider,)) as system:
        params = await system.played(
            {"spaceId": "space_1", "institutionId": home[0]}, region=home[1]
        )
        session = params["linkSessionId"]
        await system.vault.begin_exchange(session, "space_1", system.clock.unix_s())
        await system.vault.doubt_exchange(session)
        first = await system.exchange(params, key="first")
        again = await system.exchange(params, key="first")
        other = await system.exchange(params, key="other")

    assert first.data == again.data == other.data
    assert provider == first.data["provider"]


async def test_a_doubt_stays_where_the_token_may_be_used_up(tmp_path: Path) -> None:
    """Plaid is not asked again, whatever the key; the caller is told what to do."""
    async with running_system(tmp_path, providers=("plaid",)) as system:
        params = await system.played({"spaceId": "space_1", "institutionId": "ins_chase"})
        session = params["linkSessionId"]
        await system.vault.begin_exchange(session, "space_1", system.clock.unix_s())
        await system.vault.doubt_exchange(session)
        answers = [await system.exchange(params, key=key) for key in ("first", "first", "other")]
        sent = await system.calls("plaid", "exchangeToken")

    assert [(409, "in_doubt")] * 3 == [(one.status, one.error["type"]) for one in answers]
    assert all("createLink" in one.error["message"] for one in answers)
    assert 0 == sent


@pytest.mark.parametrize(("provider", "status"), [("mx", 200), ("plaid", 409)])
async def test_an_exchange_whose_process_died_ends_in_time(
    provider: str, status: int, tmp_path: Path
) -> None:
    """A session that somebody was exchanging is not busy for ever."""
    async with running_system(tmp_path, providers=(provider,)) as system:
        params = await system.played({"spaceId": "space_1", "institutionId": "ins_chase"})
        now = system.clock.unix_s()
        await system.vault.begin_exchange(
            params["linkSessionId"], "space_1", now, ends_at=now + 35.0
        )
        busy = await system.exchange(params, key="first")
        system.clock.jump(35.0)
        ended = await system.exchange(params, key="second")

    assert (409, "conflict") == (busy.status, busy.error["type"])
    assert 1.0 == busy.error["retryAfterS"]
    assert status == ended.status
