"""One provider's webhooks at its actor: acted on once, for whom they concern, and never lost."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
import structlog.testing

from actors.sealed_webhook import seal_webhook
from actors.vault import VaultDesk
from actors.webhook_desk import WebhookDesk
from orchestrator.domain import (
    ConnectionStatus,
    ProviderFailure,
    StoreError,
    WebhookRefusal,
    WebhookRefused,
)
from orchestrator.providers.webhooks import News, WebhookDelivery, WebhookNotice
from orchestrator.vault import VaultStore, vault_url
from tests.support.webhook_bench import CIPHER, WebhookBench, failing, notice_body

FRESH = notice_body(News.FRESH_DATA, event="e1")
ACTIVE, NEEDS_USER, DISCONNECTED = (
    ConnectionStatus.ACTIVE,
    ConnectionStatus.NEEDS_USER,
    ConnectionStatus.DISCONNECTED,
)


@pytest_asyncio.fixture
async def bench(tmp_path: Path) -> AsyncIterator[WebhookBench]:
    """A desk over an empty vault, with one connection."""
    vault = VaultDesk(lambda: VaultStore(vault_url(tmp_path)))
    made = WebhookBench(vault)
    await made.connect("conn_1")
    yield made
    await vault.close()


async def refusal_of(bench: WebhookBench, body: dict[str, object]) -> WebhookRefusal:
    """Why a delivery is refused."""
    with pytest.raises(WebhookRefused) as caught:
        await bench.deliver(body)
    return caught.value.reason


@pytest.mark.parametrize(
    ("news", "status", "due"),
    [
        (News.FRESH_DATA, ACTIVE, True),
        (News.NEEDS_USER, NEEDS_USER, False),
        (News.RECOVERED, ACTIVE, True),
        (News.GONE, DISCONNECTED, False),
        (News.NOTHING, ACTIVE, False),
    ],
)
async def test_news_is_acted_on(
    bench: WebhookBench, news: News, status: ConnectionStatus, due: bool
) -> None:
    """Set the status and the mark that each news calls for."""
    await bench.deliver(notice_body(news, event="e1"))
    record = await bench.record()

    assert (status, due) == (record.status, record.refresh_due_at is not None)


async def test_recovery_ends_what_needed_the_user(bench: WebhookBench) -> None:
    """Let a connection that has recovered be read again."""
    await bench.deliver(notice_body(News.NEEDS_USER, event="e1", asOf=10.0))
    await bench.deliver(notice_body(News.RECOVERED, event="e2", asOf=20.0))
    record = await bench.record()

    assert (ACTIVE, True) == (record.status, record.refresh_due_at is not None)


async def test_mark_is_of_when_the_delivery_was_received(bench: WebhookBench) -> None:
    """Mark by our own clock, as a reading's beginning is told by it, too."""
    await bench.deliver(
        notice_body(News.FRESH_DATA, event="e1", asOf=5.0), at=bench.clock.unix_s() + 3
    )

    assert bench.clock.unix_s() + 3 == (await bench.record()).refresh_due_at


async def test_news_is_for_every_connection_of_the_login(bench: WebhookBench) -> None:
    """Act on every space's connection to a login, and on no other."""
    await bench.connect("conn_2", space="space_2")
    await bench.connect("conn_3", login="login-2")
    await bench.deliver(FRESH)
    marked = [
        (await bench.record(name)).refresh_due_at is not None
        for name in ("conn_1", "conn_2", "conn_3")
    ]

    assert [True, True, False] == marked


async def test_news_may_be_about_several_logins(bench: WebhookBench) -> None:
    """Act on each login that a delivery names."""
    await bench.connect("conn_2", login="login-2")
    await bench.deliver(
        notice_body(News.FRESH_DATA, event="e1", logins=["login-1", "login-2", "login-9"])
    )
    marked = [(await bench.record(f"conn_{n}")).refresh_due_at is not None for n in (1, 2)]

    assert [True, True] == marked


async def test_same_login_elsewhere_is_another(bench: WebhookBench) -> None:
    """Leave another provider's connection alone, whatever its login is called."""
    other = WebhookBench(bench.vault, "mx")
    await other.connect("conn_mx")
    await bench.deliver(FRESH)

    assert (await bench.record("conn_mx")).refresh_due_at is None


async def test_unknown_login_is_nobodys(bench: WebhookBench) -> None:
    """Take news of a login that nobody has linked, as the vendor would only repeat it."""
    await bench.deliver(notice_body(News.GONE, event="e1", logins=["login-9"]))

    assert ACTIVE is (await bench.record()).status


async def test_repeated_event_is_without_effect(bench: WebhookBench) -> None:
    """Take an event again without acting on it, so that a vendor's repetition undoes nothing."""
    broken = notice_body(News.NEEDS_USER, event="e1")
    await bench.deliver(broken)
    await bench.vault.set_status("conn_1", ACTIVE)
    await bench.deliver(broken)

    assert ACTIVE is (await bench.record()).status


async def test_event_is_known_by_any_of_its_ids(bench: WebhookBench) -> None:
    """Know an event again under an id that it may have come under before."""
    await bench.deliver(notice_body(News.NEEDS_USER, event="body:1"))
    await bench.vault.set_status("conn_1", ACTIVE)
    await bench.deliver(notice_body(News.NEEDS_USER, event="body:2", earlier=["body:1"]))
    held = (await bench.record()).status
    await bench.deliver(notice_body(News.NEEDS_USER, event="body:3", earlier=["body:2"]))

    assert ACTIVE is held
    assert NEEDS_USER is (await bench.record()).status


async def test_proof_that_is_good_once_is_refused_twice(bench: WebhookBench) -> None:
    """Refuse the same proof again where a second delivery cannot be the vendor's."""
    once = notice_body(News.NEEDS_USER, event="e1", once=True)
    await bench.deliver(once)
    await bench.vault.set_status("conn_1", ACTIVE)

    assert WebhookRefusal.REPLAYED is await refusal_of(bench, once)
    assert ACTIVE is (await bench.record()).status


async def test_two_deliveries_of_one_proof_at_once_are_taken_once(bench: WebhookBench) -> None:
    """Take one of two deliveries that come in the same moment, and refuse the other."""
    once = notice_body(News.FRESH_DATA, event="e1", once=True)
    outcomes = await asyncio.gather(
        *(bench.deliver(once) for _ in range(2)), return_exceptions=True
    )

    assert 1 == sum(outcome is None for outcome in outcomes)
    assert 1 == sum(isinstance(outcome, WebhookRefused) for outcome in outcomes)


async def test_older_report_does_not_overrule_a_newer_one(bench: WebhookBench) -> None:
    """Pass over a status that was true before the one that is known."""
    await bench.deliver(notice_body(News.RECOVERED, event="e2", asOf=20.0))
    await bench.deliver(notice_body(News.NEEDS_USER, event="e1", asOf=10.0))

    assert ACTIVE is (await bench.record()).status


async def test_vendors_clock_cannot_outlast_what_it_reports_later(bench: WebhookBench) -> None:
    """Take a report of the future for one of now, so that it holds no later one off."""
    now = bench.clock.unix_s()
    await bench.deliver(notice_body(News.NEEDS_USER, event="e1", asOf=now + 1e6), at=now)
    await bench.deliver(notice_body(News.RECOVERED, event="e2", asOf=now + 2), at=now + 3)

    assert ACTIVE is (await bench.record()).status


@pytest.mark.parametrize("method", ["set_status", "mark_refresh_due", "first_time"])
@pytest.mark.parametrize("error", [StoreError("gone"), asyncio.CancelledError()])
async def test_crash_in_between_is_mended_by_the_next_delivery(
    bench: WebhookBench, method: str, error: BaseException
) -> None:
    """Act in full on the next delivery of an event that was cut at any step."""
    await bench.vault.set_status("conn_1", NEEDS_USER)
    recovered = notice_body(News.RECOVERED, event="e1", once=True)
    with failing(bench.vault, method, error), pytest.raises(type(error)):
        await bench.deliver(recovered)
    await bench.deliver(recovered)
    record = await bench.record()

    assert (ACTIVE, True) == (record.status, record.refresh_due_at is not None)
    assert WebhookRefusal.REPLAYED is await refusal_of(bench, recovered)


async def test_hint_about_everyone_marks_every_connection(bench: WebhookBench) -> None:
    """Mark all connections of the provider, change no status, and leave other providers alone."""
    other = WebhookBench(bench.vault, "mx")
    await other.connect("conn_mx")
    await bench.connect("conn_2", login="login-2")
    await bench.deliver(notice_body(News.FRESH_DATA, logins=[], everyone=True))
    records = [await bench.record(name) for name in ("conn_1", "conn_2", "conn_mx")]

    assert [True, True, False] == [record.refresh_due_at is not None for record in records]
    assert {ACTIVE} == {record.status for record in records}


async def test_hints_are_taken_once_a_minute(bench: WebhookBench) -> None:
    """Refuse a hint within a minute of the last, and tell how long to wait."""
    hint = notice_body(News.FRESH_DATA, logins=[], everyone=True)
    await bench.deliver(hint)
    bench.clock.jump(45)
    with pytest.raises(WebhookRefused) as caught:
        await bench.deliver(hint)
    bench.clock.jump(15)
    await bench.deliver(hint)

    assert (WebhookRefusal.TOO_SOON, 15.0) == (caught.value.reason, caught.value.retry_after_s)
    assert bench.clock.unix_s() == (await bench.record()).refresh_due_at


async def test_hint_that_could_not_be_noted_does_not_count(bench: WebhookBench) -> None:
    """Take a hint at once after one that was lost to trouble of ours."""
    hint = notice_body(News.FRESH_DATA, logins=[], everyone=True)
    with (
        failing(bench.vault, "mark_all_refresh_due", StoreError("gone")),
        pytest.raises(StoreError),
    ):
        await bench.deliver(hint)
    await bench.deliver(hint)

    assert (await bench.record()).refresh_due_at is not None


async def test_hint_cannot_change_a_status(bench: WebhookBench) -> None:
    """Do nothing but mark, whatever a hint about everyone claims to tell."""
    await bench.deliver(notice_body(News.GONE, logins=["login-1"], everyone=True))

    assert ACTIVE is (await bench.record()).status


async def test_provider_without_webhooks_takes_none(bench: WebhookBench) -> None:
    """Refuse a webhook where there is nothing to prove it by."""
    desk = WebhookDesk("plaid", None, vault=bench.vault, cipher=CIPHER, clock=bench.clock)
    sealed = seal_webhook(CIPHER, "plaid", WebhookDelivery({}, b"{}", 0.0))
    with pytest.raises(WebhookRefused) as caught:
        await desk.receive(sealed)

    assert WebhookRefusal.NOT_CONFIGURED is caught.value.reason


async def test_delivery_for_another_provider_cannot_be_opened(bench: WebhookBench) -> None:
    """Take no delivery that was sealed for another provider's actor."""
    sealed = seal_webhook(CIPHER, "mx", WebhookDelivery({}, b"{}", 0.0))
    with pytest.raises(StoreError):
        await bench.desk.receive(sealed)


async def test_bug_in_a_reader_tells_nothing_of_the_delivery(bench: WebhookBench) -> None:
    """Ask for another delivery when a reader breaks, and log where, never what."""

    class Broken:
        async def read(self, delivery: WebhookDelivery) -> WebhookNotice:
            raise ValueError(delivery.body.decode())

    desk = WebhookDesk("plaid", Broken(), vault=bench.vault, cipher=CIPHER, clock=bench.clock)
    sealed = seal_webhook(CIPHER, "plaid", WebhookDelivery({}, b"MBR-secret", 0.0))
    with structlog.testing.capture_logs() as logs, pytest.raises(ProviderFailure) as caught:
        await desk.receive(sealed)

    assert "INTERNAL" == caught.value.failure.code
    assert caught.value.__cause__ is None
    assert ["webhook_broke"] == [entry["event"] for entry in logs]
    assert "MBR-secret" not in repr(logs)


async def test_nothing_of_a_delivery_is_logged(bench: WebhookBench) -> None:
    """Log what was done and for how many, and no id of the vendor's."""
    with structlog.testing.capture_logs() as logs:
        await bench.deliver(notice_body(News.FRESH_DATA, event="event-secret"))
        await bench.deliver(notice_body(News.FRESH_DATA, event="event-secret"))

    assert ["webhook_taken", "webhook_repeated"] == [entry["event"] for entry in logs]
    assert "login-1" not in repr(logs)
    assert "event-secret" not in repr(logs)
