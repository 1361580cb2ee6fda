"""Between aiohttp and the vendors: reads calls whole, counts them, strikes them with faults.

The vendors' handlers are synchronous and know no network; what goes wrong on the wire itself (cut
connections, silence, delays, unreadable bodies) happens here.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from math import ceil
from random import Random
from typing import Final
from uuid import uuid4

from aiohttp import web

from .banks import Bank
from .calls import CallBook
from .connections import Connection
from .faults import FaultBook, FaultKind, Interference
from .vendor import AUTH, EXCHANGE, Route, Vendor
from .wire import Answer, Call, Refusal, dumps

__all__ = ["Gateway"]

Endpoint = Callable[[web.Request], Awaitable[web.StreamResponse]]

_OPERATIONS: Final = frozenset(
    {"createLink", "exchangeToken", "getAccounts", "syncTransactions", AUTH}
)
_SHOWN_IN_DATA: Final = frozenset(
    {
        FaultKind.AUTH,
        FaultKind.EMPTY,
        FaultKind.TRUNCATED,
        FaultKind.STALE,
        FaultKind.FROZEN,
        FaultKind.MALFORMED,
        FaultKind.LOST_ANSWER,
    }
)
_SHOWN_ON_THE_CONNECTION: Final = frozenset({FaultKind.AUTH, FaultKind.ERROR})
_UNREAD: Final = frozenset({FaultKind.LOST_ANSWER, FaultKind.MALFORMED})
_GARBLED: Final = (
    (b"<!DOCTYPE html><html><body><h1>It works!</h1></body></html>", "text/html"),
    (b'{"data": {"unexpected": true', "application/json"),
    (b'["not", "the", "documented", "body"]', "application/json"),
    (b'{"\xff\xfe": 1}', "application/json"),
)


class Gateway:
    """Runs vendors' endpoints for one sandbox. Belongs to one event loop.

    Args:
        faults: what goes wrong.
        calls: where calls are counted.
        clock: UTC now.
        dice: decides which calls a fault with a rate strikes, and how a garbled body looks.

    """

    def __init__(
        self, faults: FaultBook, calls: CallBook, clock: Callable[[], datetime], dice: Random
    ) -> None:
        self._faults = faults
        self._calls = calls
        self._clock = clock
        self._dice = dice
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Let go of every call that hangs."""
        self._stopping.set()

    def endpoint(self, vendor: Vendor, route: Route) -> Endpoint:
        """The aiohttp handler of one route of a vendor."""

        async def handle(request: web.Request) -> web.StreamResponse:
            call = await self._read(vendor, request)
            interference = self._judge(vendor, route, call)
            if interference.delay_s:
                await self._wait(interference.delay_s)
            kind = interference.kind
            if kind is FaultKind.RESET:
                return _abort(request)
            if kind is FaultKind.TIMEOUT:
                await self._stopping.wait()
                return _abort(request)
            answer = self._answer(vendor, route, call, interference)
            if kind is FaultKind.LOST_ANSWER:
                return _abort(request)
            if kind is FaultKind.MALFORMED and answer.status < 300:
                return self._garbled(call)
            return _response(answer, call)

        return handle

    def stray(self, vendor: Vendor) -> Endpoint:
        """The aiohttp handler of paths that a vendor does not have."""

        async def handle(request: web.Request) -> web.StreamResponse:
            call = await self._read(vendor, request)
            return _response(vendor.unknown_path(call), call)

        return handle

    async def _read(self, vendor: Vendor, request: web.Request) -> Call:
        prefix = f"/{vendor.name}"
        return Call(
            method=request.method,
            path=request.path.removeprefix(prefix),
            base_url=f"{request.scheme}://{request.host}{prefix}",
            headers={name.lower(): value for name, value in request.headers.items()},
            query=dict(request.query.items()),
            match=dict(request.match_info),
            raw=await request.read(),
            now=self._clock(),
            request_id=uuid4().hex,
            target=request.raw_path.removeprefix(prefix),
        )

    def _judge(self, vendor: Vendor, route: Route, call: Call) -> Interference:
        """Book the call and look up what happens to it.

        A route that several operations share is told apart by its attempt: by the header
        `X-Attempt-Operation` where there is one, by what the attempt called before, or, the first
        time a connection is asked about, as its exchange.
        """
        attempt_id = call.headers.get("x-attempt-id")
        connection = vendor.connection_of(call)
        named = call.headers.get("x-attempt-operation")
        known = named if named in _OPERATIONS else None
        if route.operations == (AUTH,):
            # A renewal of a token: a call of the attempt that needs it, with faults of its own.
            self._calls.record_apart(vendor.name, attempt_id, AUTH)
            if attempt_id and known is not None:
                self._calls.record(vendor.name, attempt_id, known, guess=known)
            return self._decide(vendor, route.operations, None)
        told = known or self._calls.operation_of(vendor.name, attempt_id)
        if told is None and len(route.operations) == 1 and route.operations[0] in _OPERATIONS:
            told = route.operations[0]
        if (
            told is None
            and EXCHANGE in route.operations
            and connection is not None
            and connection.awaits_exchange
        ):
            told = EXCHANGE
        guess = route.operations[0]
        self._calls.record(vendor.name, attempt_id, told, guess=guess)
        if told is not None:
            operations: tuple[str, ...] = (told,)
        elif attempt_id:
            operations = ()
        else:
            operations = route.operations
        bank_id = _bank_id(vendor, connection, call)
        interference = self._decide(vendor, operations, bank_id)
        if interference.kind is None and not operations:
            # Whether the user has to act shows on the connection, whichever operation asks.
            told_by_state = self._decide(vendor, route.operations, bank_id)
            if told_by_state.kind in _SHOWN_ON_THE_CONNECTION:
                return told_by_state
        return interference

    def _decide(
        self, vendor: Vendor, operations: tuple[str, ...], bank_id: str | None
    ) -> Interference:
        return self._faults.decide(
            vendor.name,
            operations,
            bank_id,
            now=self._clock().timestamp(),
            draw=self._dice.random,
        )

    def _answer(
        self, vendor: Vendor, route: Route, call: Call, interference: Interference
    ) -> Answer:
        kind = interference.kind
        if kind is not None and kind not in _SHOWN_IN_DATA - {FaultKind.AUTH}:
            code = interference.error_code
            refusal = (
                vendor.refusal(kind, call) if code is None else vendor.error_answer(code, call)
            )
            if refusal is not None:
                return _with_retry_after(refusal, interference.retry_after_s)
        call.kind = kind
        call.error_code = interference.error_code
        try:
            answer = route.handler(call)
        except Refusal as refused:
            return refused.answer
        connection = vendor.connection_of(call)
        if connection is not None and EXCHANGE in route.operations:
            # Not so when the answer gets lost: whoever asks again is still exchanging.
            connection.awaits_exchange = kind in _UNREAD and connection.awaits_exchange
        telling = len(route.operations) == 1 and route.operations[0] in _OPERATIONS
        if kind is FaultKind.EMPTY and telling and not route.shapes_data:
            return Answer(answer.status, {}, content_type=answer.content_type)
        return answer

    def _garbled(self, call: Call) -> web.Response:
        body, content_type = self._dice.choice(_GARBLED)
        return web.Response(
            body=body, content_type=content_type, headers={"X-Request-Id": call.request_id}
        )

    async def _wait(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._stopping.wait(), seconds)
        except TimeoutError:
            return


def _bank_id(vendor: Vendor, connection: Connection | None, call: Call) -> str | None:
    if connection is not None:
        return connection.bank_key
    bank: Bank | None = vendor.bank_of(call)
    return bank.key if bank else None


def _with_retry_after(answer: Answer, retry_after_s: float | None) -> Answer:
    if retry_after_s is None:
        return answer
    headers: Mapping[str, str] = {
        **answer.headers,
        "Retry-After": str(ceil(retry_after_s)),
    }
    return Answer(answer.status, answer.payload, headers, answer.content_type)


def _abort(request: web.Request) -> web.Response:
    """Cut the connection: the other side sees it reset, with no answer."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


def _response(answer: Answer, call: Call) -> web.Response:
    headers = {"X-Request-Id": call.request_id, **answer.headers}
    if answer.payload is None:
        return web.Response(status=answer.status, headers=headers)
    headers["Content-Type"] = answer.content_type
    plain = answer.payload if isinstance(answer.payload, bytes) else None
    body = dumps(answer.payload) if plain is None else plain
    return web.Response(status=answer.status, body=body, headers=headers)
