"""Webhooks of the sandbox: when they go out, where to, and what is kept of them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest
from aiohttp import web

from sandbox.webhook_sender import WebhookSender
from sandbox.webhooks import Webhook, WebhookBook, is_on_loopback
from tests.support.loopback import receiving_posts
from tests.support.sandbox import START, MovableClock

WAIT_S = 5.0


@dataclass
class Receiver:
    """A client's endpoint, which keeps what it gets and answers with a status of the test's."""

    url: str = ""
    status: int = 200
    got: asyncio.Queue[tuple[dict[str, str], bytes]] = field(default_factory=asyncio.Queue)

    async def handle(self, request: web.Request) -> web.Response:
        """Take one webhook."""
        await self.got.put(
            ({k.lower(): v for k, v in request.headers.items()}, await request.read())
        )
        return web.Response(status=self.status, headers={"Location": "/elsewhere"})

    async def next(self) -> tuple[dict[str, str], bytes]:
        """Headers and body of the next webhook."""
        return await asyncio.wait_for(self.got.get(), WAIT_S)


@asynccontextmanager
async def receiving(status: int = 200) -> AsyncIterator[Receiver]:
    """A receiver on a free port of this machine."""
    receiver = Receiver(status=status)
    async with receiving_posts(receiver.handle) as url:
        receiver.url = f"{url}/hook"
        yield receiver


def webhook(url: str, body: bytes = b"{}", due_at: datetime = START) -> Webhook:
    """A webhook of Plaid's."""
    return Webhook("plaid", url, body, {"X-Proof": "p"}, due_at)


class WatchedBook(WebhookBook):
    """A book whose record can be waited for."""

    def __init__(self) -> None:
        super().__init__()
        self._noted: asyncio.Queue[None] = asyncio.Queue()

    def note(self, webhook: Webhook, *, status: int | None, trouble: str | None) -> None:
        """Record, and let whoever waits go on."""
        super().note(webhook, status=status, trouble=trouble)
        self._noted.put_nowait(None)

    async def next(self) -> dict[str, object]:
        """The next entry of the record."""
        await asyncio.wait_for(self._noted.get(), WAIT_S)
        return self.snapshot()[-1]


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://127.0.0.1:8000/hook", True),
        ("https://localhost/hook", True),
        ("http://[::1]:1/", True),
        ("http://127.0.0.1.evil.test/", False),
        ("http://localhost.evil.test/", False),
        ("http://10.0.0.1/", False),
        ("http://user@10.0.0.1/", False),
        ("ftp://127.0.0.1/", False),
        ("http://[::1/", False),
        ("", False),
    ],
)
def test_only_addresses_of_this_machine_are_its(url: str, *, expected: bool) -> None:
    """Whatever stands around it, the host decides."""
    assert expected is is_on_loopback(url)


def test_what_is_due_first_goes_first() -> None:
    """Webhooks wait for their time, in its order."""
    book = WebhookBook()
    late, early = (
        webhook("u", due_at=START + timedelta(seconds=20)),
        webhook("u", due_at=START + timedelta(seconds=10)),
    )
    book.put(late)
    book.put(early)

    assert [] == book.take_due(START)
    assert START + timedelta(seconds=10) == book.next_due_at()
    assert [early, late] == book.take_due(START + timedelta(seconds=20))
    assert book.next_due_at() is None


def test_too_many_that_wait_lose_the_last_due() -> None:
    """The book is bounded, and what was let go is on record."""
    book = WebhookBook()
    for n in range(10_001):
        book.put(webhook("u", due_at=START + timedelta(seconds=n)))

    waiting = book.take_due(START + timedelta(days=1))
    assert 10_000 == len(waiting)
    assert max(one.due_at for one in waiting) == START + timedelta(seconds=9999)
    assert ["too many are waiting"] == [row["trouble"] for row in book.snapshot()]


async def test_a_webhook_is_sent_as_it_was_written() -> None:
    """Body and proof arrive byte by byte, and the receiver's answer is on record."""
    book = WatchedBook()
    sender = WebhookSender(book, lambda: START)
    async with receiving(204) as receiver:
        book.put(webhook(receiver.url, b'{\n  "a": 1\n}'))
        sender.poke()
        headers, body = await receiver.next()
        record = await book.next()
    await sender.close()

    assert b'{\n  "a": 1\n}' == body
    assert ("p", "application/json") == (headers["x-proof"], headers["content-type"])
    assert (204, None) == (record["status"], record["trouble"])


async def test_other_machines_are_not_called() -> None:
    """Their webhooks are on record all the same, with their body."""
    book = WatchedBook()
    sender = WebhookSender(book, lambda: START)
    book.put(webhook("https://app.test/hooks", b'{"a": 1}'))
    sender.poke()
    record = await book.next()
    await sender.close()

    assert record == {
        "provider": "plaid",
        "url": "https://app.test/hooks",
        "headers": {"X-Proof": "p"},
        "body": '{"a": 1}',
        "status": None,
        "trouble": "not on loopback: not called",
    }
    book.clear()
    assert [] == book.snapshot()


async def test_a_redirect_leads_nowhere() -> None:
    """An answer that points on is the end of it."""
    book = WatchedBook()
    sender = WebhookSender(book, lambda: START)
    async with receiving(307) as receiver:
        book.put(webhook(receiver.url))
        sender.poke()
        record = await book.next()
        await sender.close()

        assert 1 == receiver.got.qsize()
    assert 307 == record["status"]


async def test_a_receiver_that_is_not_there_is_on_record() -> None:
    """Nobody listens: the webhook is lost, and says so."""
    book = WatchedBook()
    sender = WebhookSender(book, lambda: START)
    async with receiving() as receiver:
        url = receiver.url
    book.put(webhook(url))
    sender.poke()
    record = await book.next()
    await sender.close()

    assert record["status"] is None
    assert record["trouble"]


async def test_a_webhook_waits_for_its_time() -> None:
    """It goes out when the clock has come to it, and not before."""
    book, clock = WatchedBook(), MovableClock()
    sender = WebhookSender(book, clock)
    book.put(webhook("https://app.test/hooks", due_at=START + timedelta(seconds=10)))
    sender.poke()
    early = book.snapshot()
    clock.move(seconds=10)
    sender.poke()
    late = await book.next()
    await sender.close()

    assert ([], "https://app.test/hooks") == (early, late["url"])


async def test_a_webhook_comes_due_by_itself() -> None:
    """Nobody has to call the sandbox for what is due later."""
    book, clock = WatchedBook(), MovableClock()
    sender = WebhookSender(book, clock)
    book.put(webhook("https://app.test/hooks", due_at=START + timedelta(milliseconds=1)))
    sender.poke()
    clock.move(seconds=1)
    record = await book.next()
    await sender.close()

    assert "https://app.test/hooks" == record["url"]


async def test_closing_gives_up_what_is_under_way() -> None:
    """A receiver that never answers does not hold the sandbox."""
    book = WatchedBook()
    sender = WebhookSender(book, lambda: START)
    begun, never = asyncio.Event(), asyncio.Event()

    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        begun.set()
        await never.wait()
        writer.close()

    server = await asyncio.start_server(hang, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    book.put(webhook(f"http://127.0.0.1:{port}/hook"))
    sender.poke()
    await asyncio.wait_for(begun.wait(), WAIT_S)
    await asyncio.wait_for(sender.close(), WAIT_S)
    never.set()
    server.close()
    await server.wait_closed()

    assert [] == book.snapshot()
