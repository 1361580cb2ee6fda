"""A space's connections, remembered for as long as they are true."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from actors.change_marks import ChangeMarks
from actors.known_connections import KnownConnections
from actors.vault import VaultDesk
from orchestrator.domain import AccountType, ConnectionStatus
from orchestrator.identity import AccountKey
from orchestrator.vault import (
    ConnectionRecord,
    LinkSession,
    NewConnection,
    VaultStore,
    vault_url,
)

CHECKING = AccountKey("acct", AccountType.DEPOSITORY, "USD", "1234")


class CountingVault(VaultDesk):
    """Counts how often it is asked for a space's connections; `meanwhile` runs within a question."""

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self.asked = 0
        self.answering = asyncio.Event()
        self.meanwhile: asyncio.Future[None] | None = None

    async def connections(self, space_id: str) -> tuple[ConnectionRecord, ...]:
        """See `VaultPort`."""
        self.asked += 1
        found = await super().connections(space_id)
        if self.meanwhile is not None:
            self.answering.set()
            await self.meanwhile
        return found


@pytest.fixture
def marks(tmp_path: Path) -> ChangeMarks:
    """The counters between the two."""
    return ChangeMarks(tmp_path / "vault.marks")


@pytest.fixture
async def vault(tmp_path: Path, marks: ChangeMarks) -> AsyncIterator[CountingVault]:
    """A vault with one connection of space `s`."""
    made = CountingVault(lambda: VaultStore(vault_url(tmp_path)), marks=marks)
    await link(made, "plaid")
    yield made
    await made.close()


async def link(vault: VaultDesk, provider: str) -> None:
    """Make a connection of space `s`."""
    session_id = f"ls_{provider}"
    await vault.add_link_session(
        LinkSession(session_id, "s", provider, "US", "ins_chase", None, b"", 1.0, None)
    )
    await vault.begin_exchange(session_id, "s", 2.0)
    await vault.finish_exchange(
        session_id,
        NewConnection(
            f"conn_{provider}",
            "s",
            provider,
            "US",
            "ins_chase",
            f"login_{provider}",
            b"sealed",
            ConnectionStatus.ACTIVE,
            3.0,
        ),
    )


async def test_the_vault_is_asked_once(vault: CountingVault, marks: ChangeMarks) -> None:
    """As long as nothing changes, the first answer serves."""
    known = KnownConnections(vault, marks)
    answers = [await known.of_space("s") for _ in range(5)]

    assert 1 == vault.asked
    assert all(answer == answers[0] for answer in answers)


@pytest.mark.parametrize(
    "change",
    ["status", "accounts", "refresh_due", "refresh_met", "all_due", "erased", "linked"],
)
async def test_a_change_is_seen_by_the_next_question(
    vault: CountingVault, marks: ChangeMarks, change: str
) -> None:
    """Whatever changes, by whoever: what is remembered is what the vault says."""
    await vault.mark_refresh_due("conn_plaid", 5.0)
    known = KnownConnections(vault, marks)
    before = await known.of_space("s")
    match change:
        case "status":
            await vault.set_status("conn_plaid", ConnectionStatus.NEEDS_USER)
        case "accounts":
            await vault.match_accounts("conn_plaid", (CHECKING,), 4.0)
        case "refresh_due":
            await vault.mark_refresh_due("conn_plaid", 6.0)
        case "refresh_met":
            await vault.clear_refresh_due("conn_plaid", 7.0)
        case "all_due":
            await vault.mark_all_refresh_due("plaid", 8.0)
        case "erased":
            await vault.erase("conn_plaid")
        case _:
            await link(vault, "mx")
    after = await known.of_space("s")

    assert before != after
    assert await vault.connections("s") == after


async def test_a_change_during_a_question_is_not_remembered_away(
    vault: CountingVault, marks: ChangeMarks
) -> None:
    """An answer that was overtaken while it was on its way is not kept."""
    known = KnownConnections(vault, marks)
    vault.meanwhile = asyncio.get_running_loop().create_future()
    asking = asyncio.create_task(known.of_space("s"))
    await vault.answering.wait()
    overtaking = vault.meanwhile
    vault.meanwhile = None
    await vault.set_status("conn_plaid", ConnectionStatus.NEEDS_USER)
    overtaking.set_result(None)
    await asking
    (now,) = await known.of_space("s")

    assert ConnectionStatus.NEEDS_USER is now.status


async def test_an_unknown_space_is_asked_for_again(
    vault: CountingVault, marks: ChangeMarks
) -> None:
    """Nothing is remembered of what is not there."""
    known = KnownConnections(vault, marks)

    assert () == await known.of_space("other")
    assert () == await known.of_space("other")
    assert 2 == vault.asked


async def test_only_so_many_spaces_are_remembered(vault: CountingVault, marks: ChangeMarks) -> None:
    """The one that was not asked for the longest goes."""
    known = KnownConnections(vault, marks, most_kept=1)
    await vault.add_link_session(
        LinkSession("ls_t", "t", "plaid", "US", "ins_chase", None, b"", 1.0, None)
    )
    await vault.begin_exchange("ls_t", "t", 2.0)
    new = NewConnection(
        "conn_t", "t", "plaid", "US", "ins_chase", "l", b"x", ConnectionStatus.ACTIVE, 3.0
    )
    await vault.finish_exchange("ls_t", new)
    for space in ("s", "t", "s"):
        await known.of_space(space)

    assert 3 == vault.asked


async def test_without_marks_the_vault_is_always_asked(vault: CountingVault) -> None:
    """Whoever cannot see changes remembers nothing."""
    known = KnownConnections(vault, None)
    await known.of_space("s")
    await known.of_space("s")

    assert 2 == vault.asked
