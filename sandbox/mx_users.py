"""MX's users: the client's own end users, each with an id of the client's and a guid of MX's.

Source: MX's OpenAPI v20250224 and v20111101.
"""

from collections.abc import Mapping, Sequence
from secrets import token_hex
from typing import Final

from .connections import EndUser
from .identifiers import guid
from .mx_book import PROVIDER, MxBook
from .mx_errors import error
from .mx_member_shapes import user_json
from .mx_requests import BOOLEAN, TEXT, Kind, flag_of, page_of, part_of
from .vendor import CREATE_LINK, Route
from .wire import Answer, Call, JsonObject, Refusal

__all__ = ["MxUsers"]

_FIELDS: Final[Mapping[str, Kind]] = {
    "id": TEXT,
    "email": TEXT,
    "metadata": TEXT,
    "is_disabled": BOOLEAN,
}


class MxUsers:
    """The endpoints about users."""

    def __init__(self, book: MxBook) -> None:
        self._book = book
        self._connections = book.connections

    def routes(self) -> Sequence[Route]:
        """The endpoints."""
        return (
            Route("POST", "/users", (CREATE_LINK,), self._create),
            Route("GET", "/users", (CREATE_LINK,), self._list),
            Route("GET", "/users/{user}", (CREATE_LINK,), self._read),
            Route("PUT", "/users/{user}", ("directory",), self._update),
            Route("DELETE", "/users/{user}", ("revoke",), self._delete),
        )

    def _create(self, call: Call) -> Answer:
        wanted = part_of(call, "user", _FIELDS)
        own_id = str(wanted.get("id", ""))
        self._check_free(call, own_id)
        new = EndUser(PROVIDER, guid("USR", token_hex(16)), own_id, _attributes(wanted))
        self._connections.save_end_user(new)
        return Answer(200, {"user": user_json(new)})

    def _list(self, call: Call) -> Answer:
        own_id, email = call.query.get("id"), call.query.get("email")
        is_disabled = flag_of(call, "is_disabled")
        if own_id is not None:
            one = self._connections.end_user(PROVIDER, own_id)
            users = [one] if one is not None and one.own_id == own_id else []
        else:
            users = self._connections.end_users(PROVIDER)
        if email is not None:
            users = [user for user in users if user.attributes.get("email") == email]
        if is_disabled is not None:
            word = "yes" if is_disabled else ""
            users = [user for user in users if user.attributes.get("is_disabled", "") == word]
        shown, pagination = page_of(call, users)
        return Answer(200, {"users": [user_json(u) for u in shown], "pagination": pagination})

    def _read(self, call: Call) -> Answer:
        return Answer(200, {"user": user_json(self._book.user(call))})

    def _update(self, call: Call) -> Answer:
        user = self._book.user(call)
        wanted = part_of(call, "user", _FIELDS)
        if "id" in wanted and wanted["id"] != user.own_id:
            self._check_free(call, str(wanted["id"]))
            user.own_id = str(wanted["id"])
        user.attributes |= _attributes(wanted)
        self._connections.save_end_user(user)
        return Answer(200, {"user": user_json(user)})

    def _check_free(self, call: Call, own_id: str) -> None:
        if own_id and self._connections.end_user(PROVIDER, own_id) is not None:
            raise Refusal(error(call, 409, "conflict", "A user with this id exists already"))

    def _delete(self, call: Call) -> Answer:
        user = self._book.user(call)
        user.removed = True
        self._connections.save_end_user(user)
        for member in self._connections.of_owner(PROVIDER, user.guid):
            member.removed = True
            self._connections.save(member)
        return Answer(204)


def _attributes(wanted: JsonObject) -> dict[str, str]:
    found: dict[str, str] = {}
    for name in ("email", "metadata"):
        if name in wanted:
            found[name] = str(wanted[name])
    if "is_disabled" in wanted:
        found["is_disabled"] = "yes" if wanted["is_disabled"] is True else ""
    return found
