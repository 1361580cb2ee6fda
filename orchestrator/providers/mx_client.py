"""MX's calls: our credentials and its version on each, errors classified, pages read to the end."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from orchestrator.domain import ProviderFailure

from .error_table import ErrorTable
from .http import VendorHttp, VendorResponse, retry_after_s
from .mx_errors import MX_ERRORS, MX_KNOWN_MEMBER_ERRORS
from .payload import Payload, integer, rows, section
from .wire_failures import WrongSuccess, malformed, wrong_success

__all__ = ["Listing", "MemberGuids", "MxClient", "version_headers"]

_PAGE_SIZE: Final = 1000  # MX takes 25 for any larger number
_MAX_PAGES: Final = 4000
_LISTINGS: Final = 3
_FRESH_PAUSE_S: Final = 0.5


@dataclass(frozen=True, slots=True)
class MemberGuids:
    """What a member is called at MX: its user's guid and its own."""

    user: str
    member: str

    @property
    def path(self) -> str:
        """Where it is."""
        return f"users/{self.user}/members/{self.member}"


@dataclass(frozen=True, slots=True)
class Listing:
    """All rows of a listing, each once.

    `is_steady` is False where rows came and went between its pages each time that it was read, so
    that one of them may be missing.
    """

    rows: tuple[Payload, ...]
    is_steady: bool


def version_headers(api_version: str) -> Mapping[str, str]:
    """How a version of MX's API is asked for: the new one by its name, the old one by its type."""
    if api_version == "v20111101":
        return {"Accept": "application/vnd.mx.api.v1+json"}
    return {"Accept": "application/json", "Accept-Version": api_version}


class MxClient:
    """Calls to MX that answer a JSON object or raise a classified failure.

    MX limits calls by HTTP method, so the method is the endpoint that our limits know.
    """

    def __init__(
        self,
        http: VendorHttp,
        *,
        looks_up_by_id: bool,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._http = http
        self._looks_up_by_id = looks_up_by_id
        self._pause = pause

    async def user_guid(self, user_id: str) -> object:
        """The guid of the user with this id of ours, made if there is none yet.

        Of two who make one at once, the second is told of a conflict and may have to look twice.
        """
        made = await self._call("POST", "users", json={"user": {"id": user_id}})
        if made.status != 409:
            return section(_read(made, MX_ERRORS), "user").get("guid")
        found = await self._found_user(user_id)
        if found is None:
            await self._pause(_FRESH_PAUSE_S)
            found = await self._found_user(user_id)
        if found is None:
            raise malformed("it knows a user and does not find it", http_status=200)
        return found.get("guid")

    async def _found_user(self, user_id: str) -> Payload | None:
        if self._looks_up_by_id:
            found = await self._call("GET", f"users/{quote(user_id, safe='')}")
            return None if found.status == 404 else section(_read(found, MX_ERRORS), "user")
        listed = await self._call("GET", "users", query={"id": user_id})
        users = rows(_read(listed, MX_ERRORS), "users")
        return next((user for user in users if user.get("id") == user_id), None)

    async def widget(
        self, user_guid: str, settings: Payload, language: str, *, repairs: bool
    ) -> Payload:
        """A widget's address with these settings; `repairs`, of a member that existed before."""
        response = await self._call(
            "POST",
            f"users/{user_guid}/widget_urls",
            json={"widget_url": settings},
            headers={"Accept-Language": language},
        )
        errors = MX_KNOWN_MEMBER_ERRORS if repairs else MX_ERRORS
        return section(_read(response, errors), "widget_url")

    async def member(self, guids: MemberGuids) -> Payload:
        """A member that existed before; its absence means that the connection is gone."""
        response = await self._call("GET", guids.path)
        return section(_read(response, MX_KNOWN_MEMBER_ERRORS), "member")

    async def member_status(self, guids: MemberGuids) -> Payload:
        """How a member's last job goes or went."""
        response = await self._call("GET", f"{guids.path}/status")
        return section(_read(response, MX_KNOWN_MEMBER_ERRORS), "member")

    async def aggregate(self, guids: MemberGuids) -> bool:
        """Ask for the bank to be read again; False while a job of another kind is in the way.

        True is no promise: MX also accepts and does nothing, where its data are fresh enough.
        """
        response = await self._call("POST", f"{guids.path}/aggregate")
        if response.status == 409:
            return False
        _read(response, MX_KNOWN_MEMBER_ERRORS)
        return True

    async def new_member(self, guids: MemberGuids) -> Payload | None:
        """A member that a widget has just made, None where this user has none such.

        MX may not find a member in its first moment, so an absence is asked about once more.
        """
        response = await self._call("GET", guids.path)
        if response.status == 404:
            await self._pause(_FRESH_PAUSE_S)
            response = await self._call("GET", guids.path)
        if response.status == 404:
            return None
        return section(_read(response, MX_ERRORS), "member")

    async def forget(self, guids: MemberGuids) -> None:
        """Delete a member; quiet when it is gone."""
        response = await self._call("DELETE", guids.path)
        if response.status != 404 and not response.ok:
            raise _failure(response, MX_KNOWN_MEMBER_ERRORS)

    async def listing(
        self, guids: MemberGuids, name: str, query: Mapping[str, str] | None = None
    ) -> Listing:
        """Every row of a member's accounts or transactions, each once, of this member only.

        Pages shift when rows come and go meanwhile: where their counts differ, or a row came twice,
        or fewer came than are counted, all are read once more.

        Raises:
            ProviderFailure: `WRONG_SUCCESS_TRUNCATED` where rows are missing all the same.

        """
        found = _Pages()
        for _ in range(_LISTINGS):
            found = await self._pages(f"{guids.path}/{name}", name, query or {})
            if found.are_steady:
                break
        if found.are_too_few:
            raise wrong_success(WrongSuccess.TRUNCATED, "fewer rows came than it counts")
        mine = (
            row for row in found.rows.values() if row.get("member_guid") in (None, guids.member)
        )
        return Listing(tuple(mine), found.are_steady)

    async def _pages(self, path: str, name: str, query: Mapping[str, str]) -> "_Pages":
        found = _Pages()
        for page in range(1, _MAX_PAGES + 1):
            response = await self._call(
                "GET",
                path,
                query={**query, "page": str(page), "records_per_page": str(_PAGE_SIZE)},
            )
            answer = _read(response, MX_KNOWN_MEMBER_ERRORS)
            pagination = section(answer, "pagination")
            if integer(pagination, "current_page") != page:
                raise wrong_success(WrongSuccess.FROZEN, "another page came than was asked for")
            found.take(rows(answer, name), integer(pagination, "total_entries"))
            if page >= integer(pagination, "total_pages"):
                return found
        raise malformed("its pages have no end", http_status=200)

    async def _call(
        self,
        method: str,
        path: str,
        *,
        json: object | None = None,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> VendorResponse:
        return await self._http.call(
            method, path, endpoint=method, json=json, query=query, headers=headers
        )


class _Pages:
    """Rows by guid, as they come page by page, and what the pages say of their number."""

    def __init__(self) -> None:
        self.rows: dict[object, Payload] = {}
        self._came = 0
        self._totals: list[int] = []

    def take(self, listed: tuple[Payload, ...], total: int) -> None:
        """Add a page."""
        for row in listed:
            guid = row.get("guid")
            self.rows[guid if isinstance(guid, str) else None] = row
        self._came += len(listed)
        self._totals.append(total)

    @property
    def are_too_few(self) -> bool:
        """Whether fewer rows came than the last page counts."""
        return len(self.rows) < self._totals[-1]

    @property
    def are_steady(self) -> bool:
        """Whether all pages count alike, and as many rows came, none of them twice."""
        return {len(self.rows), self._came} == set(self._totals)


def _read(response: VendorResponse, errors: ErrorTable) -> Payload:
    if not response.ok:
        raise _failure(response, errors)
    return response.json_object()


def _failure(response: VendorResponse, errors: ErrorTable) -> ProviderFailure:
    body = response.error_body()
    error = body.get("error") if isinstance(body, dict) else None
    kind = error.get("type") if isinstance(error, dict) else None
    return errors.failure(
        code=kind if isinstance(kind, str) and kind else None,
        http_status=response.status,
        retry_after_s=retry_after_s(response.headers),
    )
