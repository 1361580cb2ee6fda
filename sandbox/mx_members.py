"""MX's members: a user's logins at banks, made, changed and deleted by the client.

Source: MX's OpenAPI v20250224 and v20111101, docs.mx.com (members, errors).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from .banks import Bank, bank_at
from .connections import Connection, EndUser
from .identifiers import guid
from .mx_book import PROVIDER, MemberView, MxBook
from .mx_challenges import TEST_USER, login_ends_as
from .mx_errors import bad_request, error, is_legacy
from .mx_jobs import JobKind, MemberLife
from .mx_member_shapes import credentials_json, member_json
from .mx_requests import (
    BOOLEAN,
    CREDENTIALS,
    TEXT,
    TEXTS,
    Kind,
    credentials_of,
    page_of,
    part_of,
)
from .vendor import EXCHANGE, GET_ACCOUNTS, SYNC, Route
from .wire import Answer, Call, JsonObject, Refusal

__all__ = ["MEMBER", "MEMBER_READ", "MxMembers"]

MEMBER: Final = "/users/{user}/members/{member}"
MEMBER_READ: Final = (GET_ACCOUNTS, SYNC, EXCHANGE)
"""The operations that look at a member."""

_FIELDS: Final[Mapping[str, Kind]] = {
    "institution_code": TEXT,
    "credentials": CREDENTIALS,
    "id": TEXT,
    "metadata": TEXT,
    "is_oauth": BOOLEAN,
    "background_aggregation_is_disabled": BOOLEAN,
    "skip_aggregation": BOOLEAN,
    "use_cases": TEXTS,
}
_USE_CASES: Final = {"PFM", "MONEY_MOVEMENT"}


class MxMembers:
    """The endpoints that make, tell, change and delete members."""

    def __init__(self, book: MxBook) -> None:
        self._book = book
        self._connections = book.connections

    def routes(self) -> Sequence[Route]:
        """The endpoints."""
        members = "/users/{user}/members"
        return (
            Route("GET", members, MEMBER_READ, self._list),
            Route("POST", members, ("sandbox",), self._create),
            Route("GET", MEMBER, MEMBER_READ, self._read),
            Route("PUT", MEMBER, ("sandbox",), self._update),
            Route("DELETE", MEMBER, ("revoke",), self._delete),
            Route("GET", f"{MEMBER}/credentials", ("directory",), self._credentials),
        )

    def _list(self, call: Call) -> Answer:
        views = self._book.members(call)
        use_case = call.query.get("use_case")
        if use_case is not None:
            views = [
                view
                for view in views
                if use_case in view.member.attributes.get("use_cases", "PFM").split(",")
            ]
        shown, pagination = page_of(call, views)
        rows = [member_json(view, legacy=is_legacy(call)) for view in shown]
        return Answer(200, {"members": rows, "pagination": pagination})

    def _read(self, call: Call) -> Answer:
        return _one(call, 200, self._book.member(call))

    def _create(self, call: Call) -> Answer:
        user = self._book.user(call)
        wanted = part_of(call, "member", _FIELDS, required=("institution_code", "credentials"))
        bank = bank_at(PROVIDER, wanted["institution_code"])
        if bank is None:
            raise bad_request(call, "The institution is not known")
        login = _login_of(call, bank, wanted)
        self._check_new(call, user, wanted, login, bank)
        member = self._book.member_of(user.guid, login.name, bank, call.now)
        _note(call, member, wanted)
        life = MemberLife("CREATED", self._book.options.mx_history_days)
        self._book.keep(member, self._logged_in(call, life, wanted, login))
        status = 200 if _skips(call, wanted) else 202
        return _one(call, status, self._book.view(call, user, member))

    def _check_new(
        self, call: Call, user: EndUser, wanted: JsonObject, login: "_Login", bank: Bank
    ) -> None:
        for other in self._connections.of_owner(PROVIDER, user.guid):
            if (other.user, other.bank_key) == (login.name, bank.key):
                raise Refusal(error(call, 409, "conflict", "The member exists already"))
            if "id" in wanted and other.attributes.get("id") == wanted["id"]:
                raise Refusal(error(call, 409, "conflict", "A member with this id exists already"))

    def _logged_in(
        self, call: Call, life: MemberLife, wanted: JsonObject, login: "_Login"
    ) -> MemberLife:
        """The member's life once it was given a login, with a job that tries it."""
        life = replace(life, scenario=login.scenario, sleeps_at_night=_sleeps(wanted, life))
        if _skips(call, wanted):
            return life
        return life.started(JobKind.AGGREGATE, call.now, login.ends_as, self._book.rules.job_s)

    def _update(self, call: Call) -> Answer:
        view = self._book.member(call)
        wanted = part_of(call, "member", _FIELDS)
        life = replace(view.life, sleeps_at_night=_sleeps(wanted, view.life))
        if "credentials" in wanted:
            login = _login_of(call, view.bank, wanted)
            life = self._logged_in(call, replace(life, status="UPDATED"), wanted, login)
        _note(call, view.member, wanted)
        self._book.keep(view.member, life)
        return _one(call, 200, self._book.view(call, view.user, view.member))

    def _delete(self, call: Call) -> Answer:
        member = self._book.member(call).member
        member.removed = True
        self._connections.save(member)
        return Answer(204)

    def _credentials(self, call: Call) -> Answer:
        shown, pagination = page_of(call, credentials_json(self._book.member(call).bank))
        return Answer(200, {"credentials": list(shown), "pagination": pagination})


@dataclass(frozen=True, slots=True)
class _Login:
    """A user name at a bank, and how logging in with it goes now and (`scenario`) later."""

    name: str
    ends_as: str
    scenario: str


def _login_of(call: Call, bank: Bank, wanted: JsonObject) -> _Login:
    """The login that the credentials of a request stand for.

    Raises:
        Refusal: 400 where they are not those that the bank asks for.

    """
    given = credentials_of(wanted, "credentials")
    names = [guid("CRD", bank.id_at(PROVIDER), field) for field in ("LOGIN", "PASSWORD")]
    if set(given) != set(names):
        raise bad_request(call, "The credentials are not those that the institution asks for")
    name, password = (given[one] for one in names)
    # Only a test bank reads its fate out of the password.
    ends_as = login_ends_as(password) if bank.test_only else "CONNECTED"
    if bank.test_only and name != TEST_USER:
        ends_as = "DENIED"
    return _Login(name, ends_as, "" if ends_as == "CONNECTED" else password)


def _note(call: Call, member: Connection, wanted: JsonObject) -> None:
    cases = wanted.get("use_cases", [])
    if not isinstance(cases, list) or not _USE_CASES.issuperset(cases):
        raise bad_request(call, "use_cases holds another value than PFM and MONEY_MOVEMENT")
    if cases:
        member.attributes["use_cases"] = ",".join(cases)
    for name in ("id", "metadata"):
        if name in wanted:
            member.attributes[name] = str(wanted[name])


def _skips(call: Call, wanted: JsonObject) -> bool:
    return is_legacy(call) and wanted.get("skip_aggregation") is True


def _sleeps(wanted: JsonObject, life: MemberLife) -> bool:
    return bool(wanted.get("background_aggregation_is_disabled", life.sleeps_at_night))


def _one(call: Call, status: int, view: MemberView) -> Answer:
    return Answer(status, {"member": member_json(view, legacy=is_legacy(call))})
