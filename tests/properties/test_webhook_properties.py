"""Webhooks in any order, any number of times, with crashes in between: the newest event decides."""

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from uuid import uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.vault import VaultDesk
from orchestrator.domain import ConnectionStatus, StoreError
from orchestrator.providers.webhooks import News
from orchestrator.vault import VaultStore, vault_url
from tests.support.webhook_bench import WebhookBench, failing, notice_body

STATUS = {
    News.NEEDS_USER: ConnectionStatus.NEEDS_USER,
    News.RECOVERED: ConnectionStatus.ACTIVE,
    News.GONE: ConnectionStatus.DISCONNECTED,
}
STEPS = (None, None, "webhook_seen", "set_status", "mark_refresh_due", "first_time")
"""Steps at which a delivery is cut; mostly it is not."""


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[News], list[tuple[int, str | None]]]:
    """What happened, in its order; and deliveries of it: each at least once whole, in any order."""
    happened = draw(st.lists(st.sampled_from(News), min_size=1, max_size=6))
    numbers = st.integers(0, len(happened) - 1)
    extra = draw(st.lists(st.tuples(numbers, st.sampled_from(STEPS)), max_size=8))
    whole: list[tuple[int, str | None]] = [(number, None) for number in range(len(happened))]
    return happened, draw(st.permutations(whole + extra))


async def outcome(
    vault: VaultDesk, happened: list[News], deliveries: list[tuple[int, str | None]]
) -> tuple[ConnectionStatus, bool]:
    """How a new connection stands after all deliveries, and whether it is due for a re-read."""
    bench = WebhookBench(vault)
    name = uuid4().hex
    await bench.connect(name, login=name)
    for number, cut_at in deliveries:
        bench.clock.jump(1)
        body = notice_body(
            happened[number], event=f"{name}:{number}", asOf=1000.0 + number, logins=[name]
        )
        if cut_at is None:
            await bench.deliver(body)
            continue
        with failing(vault, cut_at, StoreError("cut")), suppress(StoreError):
            await bench.deliver(body)
    record = await bench.record(name)
    return record.status, record.refresh_due_at is not None


@pytest.fixture(scope="module")
def vault(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VaultDesk]:
    """One vault for all histories: each is about a connection of its own."""
    desk = VaultDesk(lambda: VaultStore(vault_url(tmp_path_factory.mktemp("vault"))))
    yield desk
    asyncio.run(desk.close())


@settings(max_examples=60, deadline=None)
@given(history=histories())
def test_newest_event_decides(
    vault: VaultDesk, history: tuple[list[News], list[tuple[int, str | None]]]
) -> None:
    """End as the newest status that was reported, however deliveries were shuffled, doubled or cut."""
    happened, deliveries = history
    status, due = asyncio.run(outcome(vault, happened, deliveries))
    reported = [STATUS[news] for news in happened if news in STATUS]

    assert (reported[-1] if reported else ConnectionStatus.ACTIVE) is status
    assert due == any(news in (News.FRESH_DATA, News.RECOVERED) for news in happened)
