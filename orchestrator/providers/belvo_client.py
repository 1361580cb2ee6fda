"""Belvo's calls: our keys on each, error arrays classified, pages read to the end at our own host."""

from collections.abc import Mapping
from typing import Final, TypeGuard
from urllib.parse import parse_qsl, urlsplit

from orchestrator.domain import ProviderFailure

from .belvo_errors import BELVO_ERRORS, BELVO_KNOWN_LINK_ERRORS
from .belvo_link import BelvoLink
from .error_table import ErrorTable
from .http import VendorHttp, VendorResponse, leads_elsewhere, note_request_id, retry_after_s
from .payload import Payload, integer, optional_text, rows
from .wire_failures import WrongSuccess, foreign_redirect, malformed, wrong_success

__all__ = ["BelvoClient", "failure_of"]

_PAGE_SIZE: Final = 1000  # larger numbers are cut to this one
_MAX_PAGES: Final = 4000
_LISTINGS: Final = 2


class BelvoClient:
    """Calls to Belvo that answer what was asked for or raise a classified failure.

    Args:
        http: HTTP to Belvo, with our keys.
        checks_count: whether a listing's `count` counts the rows asked for.

    """

    def __init__(self, http: VendorHttp, *, checks_count: bool) -> None:
        self._http = http
        self._checks_count = checks_count

    async def token(self, body: Payload, *, of_known_link: bool) -> Payload:
        """A widget's token; `of_known_link` where the body names a link that should be there."""
        response = await self._call("POST", "api/token/", json=body)
        return _read(response, BELVO_KNOWN_LINK_ERRORS if of_known_link else BELVO_ERRORS)

    async def link(self, link_id: str) -> BelvoLink:
        """A link that existed before; its absence means that the connection is gone."""
        response = await self._call("GET", f"api/links/{link_id}/")
        link = BelvoLink.of(_read(response, BELVO_KNOWN_LINK_ERRORS))
        if link.link_id != link_id:
            raise malformed("another link came than was asked for", http_status=200)
        return link

    async def new_link(self, link_id: str) -> BelvoLink | None:
        """A link that a widget has just made or mended, None where we have none such."""
        response = await self._call("GET", f"api/links/{link_id}/")
        return None if response.status == 404 else BelvoLink.of(_read(response, BELVO_ERRORS))

    async def change_access_mode(self, link_id: str, access_mode: str) -> None:
        """Let Belvo read a link's bank by itself from now on (`recurrent`), or no more (`single`)."""
        response = await self._call(
            "PATCH", f"api/links/{link_id}/", json={"access_mode": access_mode}
        )
        _read(response, BELVO_KNOWN_LINK_ERRORS)

    async def forget(self, link_id: str) -> None:
        """Delete a link; quiet when it is gone."""
        response = await self._call("DELETE", f"api/links/{link_id}/")
        if response.status != 404 and not response.ok:
            raise failure_of(response, BELVO_KNOWN_LINK_ERRORS)

    async def retrieve(
        self, resource: str, body: Payload, *, in_background: bool, timeout_s: float
    ) -> VendorResponse:
        """Ask for data to be read at the bank now; the answer whatever its status.

        Args:
            resource: `accounts` or `transactions`.
            body: what to read.
            in_background: ask for a job instead of an answer that takes as long as the bank does.
            timeout_s: longest silence of Belvo.

        """
        headers = {"X-Belvo-Request-Mode": "async"} if in_background else None
        return await self._call(
            "POST", f"api/{resource}/", json=body, headers=headers, timeout_s=timeout_s
        )

    async def listing(
        self, resource: str, link_id: str, query: Mapping[str, str] | None = None
    ) -> Mapping[object, Payload]:
        """Every stored row of a link's accounts or transactions by its id, of this link only.

        Pages shift when rows come and go meanwhile: where fewer came than were counted, all are
        read once more.

        Raises:
            ProviderFailure: `WRONG_SUCCESS_TRUNCATED` where rows are missing the second time too.

        """
        asked = {**(query or {}), "link": link_id, "page_size": str(_PAGE_SIZE)}
        for _ in range(_LISTINGS):
            found, count = await self._pages(f"api/{resource}/", asked)
            if len(found) >= count or not self._checks_count:
                return {
                    row_id: row for row_id, row in found.items() if _link_of(row) in (None, link_id)
                }
        raise wrong_success(WrongSuccess.TRUNCATED, "fewer rows came than it counts")

    async def _pages(
        self, path: str, asked: Mapping[str, str]
    ) -> tuple[dict[object, Payload], int]:
        found: dict[object, Payload] = {}
        query, seen = dict(asked), set[str]()
        for _ in range(_MAX_PAGES):
            response = await self._call("GET", path, query=query)
            answer = _read(response, BELVO_KNOWN_LINK_ERRORS)
            for row in rows(answer, "results"):
                row_id = row.get("id")
                found[row_id if isinstance(row_id, str) else None] = row
            following = optional_text(answer, "next")
            if following is None:
                return found, integer(answer, "count")
            if following in seen:
                raise wrong_success(WrongSuccess.FROZEN, "its next page is one it gave before")
            seen.add(following)
            query = {**self._query_of(following), **asked}
        raise malformed("its pages have no end", http_status=200)

    def _query_of(self, following: str) -> dict[str, str]:
        # Only the query is taken over: path and host of the next call stay our own.
        if leads_elsewhere(following, self._http.base_url):
            raise foreign_redirect(200)
        return dict(parse_qsl(urlsplit(following).query))

    async def _call(
        self,
        method: str,
        path: str,
        *,
        json: object | None = None,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        timeout_s: float = 60.0,
    ) -> VendorResponse:
        endpoint = "/".join(path.split("/")[:2])
        return await self._http.call(
            method,
            path,
            endpoint=endpoint,
            json=json,
            query=query,
            headers=headers,
            timeout_s=timeout_s,
        )


def failure_of(response: VendorResponse, errors: ErrorTable) -> ProviderFailure:
    """The classified failure of an error answer: the first entry that the table knows decides."""
    body = response.error_body()
    told = [entry for entry in (body if isinstance(body, list) else [body]) if _has_code(entry)]
    known = [entry for entry in told if entry["code"] in errors.codes]
    first = (known or told or [{}])[0]
    code = first.get("code")
    return errors.failure(
        code=code if isinstance(code, str) else None,
        http_status=response.status,
        retry_after_s=retry_after_s(response.headers),
        provider_request_id=note_request_id(first.get("request_id")),
    )


def _read(response: VendorResponse, errors: ErrorTable) -> Payload:
    if not response.ok:
        raise failure_of(response, errors)
    return response.json_object()


def _link_of(row: Payload) -> object:
    account = row.get("account")
    return account.get("link") if isinstance(account, dict) else row.get("link")


def _has_code(entry: object) -> TypeGuard[dict[str, object]]:
    return isinstance(entry, dict) and isinstance(entry.get("code"), str) and bool(entry["code"])
