"""MX's calls: our credentials and its version on each, errors classified, pages read to the end."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Final
from urllib.parse import quote

from orchestrator.domain import ProviderFailure

from .error_table import ErrorTable
from .http import VendorHttp, VendorResponse, retry_after_s
from .mx_errors import MX_ERRORS, MX_KNOWN_MEMBER_ERRORS
from .payload import Payload, integer, rows, section
from .wire_failures import WrongSuccess, malformed, wrong_success

__all__ = ["MxClient", "version_headers"]

_PAGE_SIZE: Final = 1000  # MX takes 25 for any larger number
_MAX_PAGES: Final = 4000
_LISTINGS: Final = 2
_FRESH_MEMBER_PAUSE_S: Final = 0.5


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
        """The guid of the user with this id of ours, made if there is none yet."""
        made = await self._call("POST", "users", json={"user": {"id": user_id}})
        if made.status != 409:
            return section(_read(made, MX_ERRORS), "user").get("guid")
        if self._looks_up_by_id:
            found = await self._call("GET", f"users/{quote(user_id, safe='')}")
            return section(_read(found, MX_ERRORS), "user").get("guid")
        listed = await self._call("GET", "users", query={"id": user_id})
        for user in rows(_read(listed, MX_ERRORS), "users"):
            if user.get("id") == user_id:
                return user.get("guid")
        raise malformed("it knows a user and does not list it", http_status=200)

    async def widget(self, user_guid: str, settings: Payload, language: str) -> Payload:
        """A widget's address with these settings."""
        response = await self._call(
            "POST",
            f"users/{user_guid}/widget_urls",
            json={"widget_url": settings},
            headers={"Accept-Language": language},
        )
        return section(_read(response, MX_ERRORS), "widget_url")

    async def member(self, user_guid: str, member_guid: str) -> Payload:
        """A member that existed before; its absence means that the connection is gone."""
        response = await self._call("GET", f"users/{user_guid}/members/{member_guid}")
        return section(_read(response, MX_KNOWN_MEMBER_ERRORS), "member")

    async def new_member(self, user_guid: str, member_guid: str) -> Payload | None:
        """A member that a widget has just made, None where this user has none such.

        MX may not find a member in its first moment, so an absence is asked about once more.
        """
        path = f"users/{user_guid}/members/{member_guid}"
        response = await self._call("GET", path)
        if response.status == 404:
            await self._pause(_FRESH_MEMBER_PAUSE_S)
            response = await self._call("GET", path)
        if response.status == 404:
            return None
        return section(_read(response, MX_ERRORS), "member")

    async def forget(self, user_guid: str, member_guid: str) -> None:
        """Delete a member; quiet when it is gone."""
        response = await self._call("DELETE", f"users/{user_guid}/members/{member_guid}")
        if response.status != 404 and not response.ok:
            raise _failure(response, MX_KNOWN_MEMBER_ERRORS)

    async def listing(
        self, user_guid: str, member_guid: str, name: str, query: Mapping[str, str] | None = None
    ) -> tuple[Payload, ...]:
        """Every row of a member's accounts or transactions, each once, of this member only.

        Pages shift when rows come and go meanwhile: where fewer came than the last page counts, all
        are read once more.

        Raises:
            ProviderFailure: `WRONG_SUCCESS_TRUNCATED` where rows are missing the second time too.

        """
        path = f"users/{user_guid}/members/{member_guid}/{name}"
        for _ in range(_LISTINGS):
            found, total = await self._pages(path, name, query or {})
            if len(found) >= total:
                return tuple(
                    row for row in found.values() if row.get("member_guid") in (None, member_guid)
                )
        raise wrong_success(WrongSuccess.TRUNCATED, "fewer rows came than it counts")

    async def _pages(
        self, path: str, name: str, query: Mapping[str, str]
    ) -> tuple[dict[object, Payload], int]:
        found: dict[object, Payload] = {}
        for page in range(1, _MAX_PAGES + 1):
            response = await self._call(
                "GET",
                path,
                query={**query, "page": str(page), "records_per_page": str(_PAGE_SIZE)},
            )
            answer = _read(response, MX_KNOWN_MEMBER_ERRORS)
            for row in rows(answer, name):
                guid = row.get("guid")
                found[guid if isinstance(guid, str) else None] = row
            pagination = section(answer, "pagination")
            if integer(pagination, "current_page") != page:
                raise wrong_success(WrongSuccess.FROZEN, "another page came than was asked for")
            if page >= integer(pagination, "total_pages"):
                return found, integer(pagination, "total_entries")
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
