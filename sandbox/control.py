"""The sandbox's own endpoints below `/_control/`: play the widget, set faults, read what happened."""

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final

import orjson
from aiohttp import web

from .banks import BANKS, Bank
from .calls import CallBook
from .connections import LinkSession
from .faults import BadFault, FaultBook, parse_faults
from .vendor import Shared, Vendor
from .wire import dumps

__all__ = ["Control"]

_NAMES: Final = ("linkToken", "linkUrl", "linkSessionId")
_OUR_SESSION: Final = re.compile(r"ls_[0-9a-f]{32}")


class _Wrong(Exception):
    """What is wrong with a request to the control endpoints."""

    def __init__(self, status: int, field: str, message: str) -> None:
        super().__init__(message)
        self._parts = (status, field, message)

    def answer(self) -> web.Response:
        return _problem(*self._parts)


class Control:
    """Handlers of `/_control/`, over the state that the vendors share."""

    def __init__(
        self,
        vendors: Mapping[str, Vendor],
        shared: Shared,
        faults: FaultBook,
        calls: CallBook,
        clock: Callable[[], datetime],
    ) -> None:
        self._vendors = vendors
        self._sessions = shared.sessions
        self._webhooks = shared.webhooks
        self._faults = faults
        self._calls = calls
        self._clock = clock
        self._error_codes = {
            name: frozenset(vendor.error_codes()) for name, vendor in vendors.items()
        }

    def routes(self) -> list[web.RouteDef]:
        """The endpoints."""
        return [
            web.post("/_control/complete", self._complete),
            web.get("/_control/faults", self._get_faults),
            web.put("/_control/faults", self._put_faults),
            web.delete("/_control/faults", self._delete_faults),
            web.get("/_control/calls", self._get_calls),
            web.delete("/_control/calls", self._delete_calls),
            web.get("/_control/webhooks", self._get_webhooks),
            web.delete("/_control/webhooks", self._delete_webhooks),
        ]

    async def _complete(self, request: web.Request) -> web.Response:
        try:
            token = self._play(await _body(request))
        except _Wrong as wrong:
            return wrong.answer()
        return _json(200, {"temporaryToken": token})

    def _play(self, body: object) -> str | Mapping[str, str]:
        session, named, said = self._asked(body)
        now = self._clock()
        if now >= session.expires_at or (session.single_use and session.completed):
            raise _Wrong(410, "linkToken", "the link session has expired or was used")
        vendor = self._vendors[session.provider]
        bank = self._bank(session, said.get("institutionId"), named)
        if bank is None or bank.id_at(session.provider) is None:
            raise _Wrong(422, "institutionId", f"wants a bank that {session.provider} serves")
        session.bank_key = bank.key
        token = vendor.complete(session, said.get("user", session.default_user), bank, now)
        session.completed = True
        return token

    def _asked(self, body: object) -> tuple[LinkSession, str, dict[str, str]]:
        """The session that a completion names, the name it used, and the rest of what it says."""
        if not isinstance(body, dict):
            raise _Wrong(422, "", "a JSON object is wanted")
        said: dict[str, str] = {}
        for name, value in body.items():
            if name not in {*_NAMES, "institutionId", "user"}:
                raise _Wrong(422, name, "unknown field")
            if value is None:
                continue
            if not isinstance(value, str) or not value:
                raise _Wrong(422, name, "must be a text")
            said[name] = value
        given = [name for name in _NAMES if name in said]
        if not given:
            raise _Wrong(422, "linkToken", "one of linkToken, linkUrl, linkSessionId is wanted")
        for name in given:
            session = self._sessions.find(said[name])
            if session is not None:
                return session, said[name], said
        unheard = self._unheard(said) if "linkSessionId" in said else None
        if unheard is not None:
            return unheard, said["linkSessionId"], said
        raise _Wrong(404, given[0], "no such link session")

    def _unheard(self, said: Mapping[str, str]) -> LinkSession | None:
        """The session of a vendor that is sent nothing when a link session is made.

        The named bank tells that it is one; where none is named, the id's own form has to do.
        """
        named = said.get("institutionId")
        bank = BANKS.get(named or "")
        ours = named is None and _OUR_SESSION.fullmatch(said["linkSessionId"])
        for vendor in self._vendors.values():
            session = vendor.unheard_session(said["linkSessionId"], self._clock())
            serves = ours if bank is None else bank.id_at(vendor.name)
            if session is not None and serves:
                return session
        return None

    def _bank(self, session: LinkSession, asked: object, name: str) -> Bank | None:
        if isinstance(asked, str):
            return BANKS.get(asked)
        if session.bank_key is not None:
            return BANKS[session.bank_key]
        return self._vendors[session.provider].bank_of_widget(name)

    async def _get_faults(self, _request: web.Request) -> web.Response:
        faults = self._faults.in_force(now=self._clock().timestamp())
        return _json(200, {"faults": [fault.as_json() for fault in faults]})

    async def _put_faults(self, request: web.Request) -> web.Response:
        try:
            faults = parse_faults(
                await _body(request), error_codes=self._error_codes, institutions=tuple(BANKS)
            )
        except BadFault as bad:
            return _problem(422, bad.field, bad.message)
        self._faults.put(faults, now=self._clock().timestamp())
        return await self._get_faults(request)

    async def _delete_faults(self, _request: web.Request) -> web.Response:
        self._faults.clear()
        return web.Response(status=204)

    async def _get_calls(self, _request: web.Request) -> web.Response:
        return _json(200, {"calls": self._calls.snapshot()})

    async def _delete_calls(self, _request: web.Request) -> web.Response:
        self._calls.clear()
        return web.Response(status=204)

    async def _get_webhooks(self, _request: web.Request) -> web.Response:
        return _json(200, {"webhooks": self._webhooks.snapshot()})

    async def _delete_webhooks(self, _request: web.Request) -> web.Response:
        self._webhooks.clear()
        return web.Response(status=204)


async def _body(request: web.Request) -> object:
    """The request's JSON; None where it is not readable."""
    try:
        value: object = orjson.loads(await request.read())
    except orjson.JSONDecodeError:
        return None
    return value


def _json(status: int, payload: object) -> web.Response:
    return web.Response(status=status, body=dumps(payload), content_type="application/json")


def _problem(status: int, field: str, message: str) -> web.Response:
    return _json(status, {"error": {"field": field, "message": message}})
