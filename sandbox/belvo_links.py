"""Belvo's links, made with a bank's credentials or changed, and the institutions that there are.

Any user name and password are good at these banks, but for the password `wrong`.
Source: Belvo's OpenAPI 1.35.0.
"""

from datetime import datetime
from typing import Final

from .banks import BANKS, Bank, bank_at, banks_of
from .belvo_errors import LINK_STATUSES, coded, error, not_found, page_of, required
from .belvo_live import ACCOUNTS, LINKS, TRANSACTIONS, BelvoLive
from .belvo_shapes import institution_json, link_json
from .belvo_store import Reading, note_reading
from .connections import Connection
from .identifiers import uuid_text
from .wire import Answer, Call, JsonObject, Refusal

__all__ = ["BelvoLinks"]

_ACCESS_MODES: Final = ("single", "recurrent")
_REFRESH_RATES: Final = {1: "24h", 7: "7d", 30: "30d"}
_WRONG_PASSWORD: Final = "wrong"
_STORAGES_THAT_LAST: Final = ("", "store")


class BelvoLinks(BelvoLive):
    """The half of Belvo about links themselves."""

    def _new_link(
        self, user: str, bank: Bank, now: datetime, *, owner: str, attributes: dict[str, str]
    ) -> Connection:
        ordinal = self.connections.ordinal(self.name, user, bank.key)
        return Connection(
            provider=self.name,
            connection_id=uuid_text(self.world.seed, "belvo-link", user, bank.key, ordinal),
            owner=owner,
            user=user,
            bank_key=bank.key,
            linked_at=now,
            attributes=attributes,
        )

    def _mend(self, link: Connection, now: datetime) -> None:
        """Let Belvo in again; a link that it reads by itself is read at once."""
        link.broken = ""
        self.at_banks.close_all(link.connection_id)
        if link.attributes.get("access_mode") != "single":
            for resource in (ACCOUNTS, TRANSACTIONS):
                note_reading(link, resource, Reading(now))

    def _link(self, call: Call) -> Connection:
        link = self.connections.get(self.name, call.match["id"])
        if link is None or link.removed:
            raise not_found(call)
        return link

    def _link_row(self, call: Call, link: Connection) -> JsonObject:
        recurrent = link.attributes.get("access_mode") != "single"
        return link_json(
            link,
            LINK_STATUSES.get(self._broken(call, link), "valid"),
            self._store(call, link).accessed_at,
            _REFRESH_RATES.get(self.options.belvo_refresh_days) if recurrent else None,
        )

    def _link_list(self, call: Call) -> Answer:
        query = call.query
        rows = [
            self._link_row(call, link)
            for link in self.connections.of(self.name)
            if query.get("institution") in (None, BANKS[link.bank_key].id_at(self.name))
            and query.get("external_id") in (None, link.attributes.get("external_id"))
            and query.get("id") in (None, link.connection_id)
        ]
        wanted = ("status", "access_mode")
        rows = [row for row in rows if all(query.get(name) in (None, row[name]) for name in wanted)]
        shown, around = page_of(call, rows, None, counts=self.options.belvo_count)
        return Answer(200, around | {"results": shown})

    def _link_read(self, call: Call) -> Answer:
        return Answer(200, self._link_row(call, self._link(call)))

    def _link_make(self, call: Call) -> Answer:
        body = call.body
        for field in ("institution", "username", "password"):
            if not body.get(field):
                raise required(call, field)
        bank = bank_at(self.name, body["institution"])
        if bank is None:
            raise Refusal(coded(call, "does_not_exist", "institution"))
        external_id, mode = body.get("external_id"), body.get("access_mode") or "recurrent"
        if external_id is not None and (not isinstance(external_id, str) or len(external_id) < 3):
            raise Refusal(error(call, 400, "invalid", "At least 3 characters.", "external_id"))
        self._check_mode(call, mode)
        if body["password"] == _WRONG_PASSWORD:
            raise Refusal(coded(call, "login_error"))
        user = str(body["username"])
        attributes = {
            "external_id": external_id or "",
            "access_mode": str(mode),
            "credentials_storage": str(body.get("credentials_storage") or ""),
        }
        link = self._new_link(user, bank, call.now, owner=user, attributes=attributes)
        self.connections.save(link)
        if self.options.belvo_asks_code and not body.get("token"):
            raise Refusal(self._asks_code(call, link, LINKS))
        return Answer(201, self._link_row(call, link))

    def _link_resume(self, call: Call) -> Answer:
        link, _ = self._resumed(call, LINKS)
        return Answer(200, self._link_row(call, link))

    def _link_change(self, call: Call) -> Answer:
        link, mode = self._link(call), call.body.get("access_mode")
        if mode is None:
            raise required(call, "access_mode")
        self._check_mode(call, mode)
        if mode == "single":
            # What Belvo has read by itself so far stays stored.
            read_at = self._store(call, link).accessed_at
            if read_at is not None:
                note_reading(link, ACCOUNTS, Reading(read_at))
                note_reading(link, TRANSACTIONS, Reading(read_at))
        elif link.attributes.get("credentials_storage", "") not in _STORAGES_THAT_LAST:
            raise Refusal(coded(call, "invalid_access_mode_switch"))
        link.attributes["access_mode"] = str(mode)
        self.connections.save(link)
        return Answer(200, self._link_row(call, link))

    def _link_renew(self, call: Call) -> Answer:
        link, password = self._link(call), call.body.get("password")
        if not password:
            raise required(call, "password")
        if password == _WRONG_PASSWORD:
            raise Refusal(coded(call, "login_error"))
        self._mend(link, call.now)
        self.connections.save(link)
        return Answer(200, self._link_row(call, link))

    def _link_delete(self, call: Call) -> Answer:
        link = self._link(call)
        link.removed = True
        self.connections.save(link)
        return Answer(204)

    def _check_mode(self, call: Call, mode: object) -> None:
        if mode not in _ACCESS_MODES:
            raise Refusal(error(call, 400, "invalid_choice", "Not a choice.", "access_mode"))

    def _institution_rows(self) -> list[JsonObject]:
        return [
            institution_json(number, bank, down=False)
            for number, bank in enumerate(banks_of(self.name))
        ]

    def _institution_list(self, call: Call) -> Answer:
        query = call.query
        wanted = ("name", "display_name", "status", "type")
        rows = [
            row
            for row in self._institution_rows()
            if all(query.get(name) in (None, row[name]) for name in wanted)
            and (
                query.get("country_code") is None or [query["country_code"]] == row["country_codes"]
            )
        ]
        shown, around = page_of(call, rows, None, counts=self.options.belvo_count)
        return Answer(200, around | {"results": shown})

    def _institution_read(self, call: Call) -> Answer:
        for row in self._institution_rows():
            if str(row["id"]) == call.match["id"]:
                return Answer(200, row)
        raise not_found(call)
