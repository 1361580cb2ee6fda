"""Minimal clients of the vendors' protocols, for tests that talk to the sandbox as an adapter would.

They keep to what the vendors document and turn rows into one shape, so that the same movement can
be recognised at several vendors.
"""

from base64 import b64encode
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from json import loads
from typing import Any

from tests.support.sandbox import RunningSandbox

__all__ = ["BelvoCaller", "FinicityCaller", "MxCaller", "PlaidCaller", "Reply", "Row", "basic"]

SPACE = "0123456789abcdef0123"


def basic(user: str, password: str) -> str:
    """An Authorization header's value (RFC 7617)."""
    return f"Basic {b64encode(f'{user}:{password}'.encode()).decode()}"


@dataclass(frozen=True, slots=True)
class Reply:
    """A vendor's answer; `body` is its JSON with exact Decimals, or None where it is not JSON."""

    status: int
    headers: Mapping[str, str]
    raw: bytes

    @property
    def body(self) -> Any:
        """The JSON of the body."""
        try:
            return loads(self.raw, parse_float=Decimal)
        except ValueError:
            return None


@dataclass(frozen=True, slots=True)
class Row:
    """A movement, told apart from its vendor: negative amounts leave the account."""

    mask: str
    began_on: date
    posted_on: date | None
    amount: Decimal


@dataclass(slots=True)
class _Caller:
    running: RunningSandbox
    provider: str
    attempt_id: str | None = None
    headers: dict[str, str] = field(default_factory=dict)

    async def call(
        self,
        method: str,
        path: str,
        json: object | None = None,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        """Send one request."""
        sent = {**self.headers, **(headers or {})}
        if self.attempt_id:
            sent["X-Attempt-Id"] = self.attempt_id
        url = path if path.startswith("http") else self.running.url_of(self.provider) + path
        async with self.running.http.request(
            method, url, json=json, params=query, headers=sent
        ) as response:
            return Reply(response.status, dict(response.headers), await response.read())


class PlaidCaller(_Caller):
    """Speaks Plaid."""

    def __init__(self, running: RunningSandbox) -> None:
        super().__init__(running, "plaid")
        self.headers = {"PLAID-CLIENT-ID": "sandbox_client", "PLAID-SECRET": "sandbox_secret"}
        self.access_token = ""

    async def post(self, path: str, **body: object) -> Reply:
        """Call an endpoint."""
        return await self.call("POST", path, json=body)

    async def link_token(self, institution: str = "ins_56", **extra: object) -> str:
        """Make a link token."""
        reply = await self.post(
            "/link/token/create",
            **{
                "client_name": "Test",
                "language": "en",
                "country_codes": ["US"],
                "products": ["transactions"],
                "user": {"client_user_id": SPACE},
                "institution_id": institution,
                "transactions": {"days_requested": 730},
                **extra,
            },
        )
        return str(reply.body["link_token"])

    async def link(self, institution: str = "ins_56", **extra: object) -> str:
        """Link a login; answers and keeps the access token."""
        public = await self.running.complete(token=await self.link_token(institution, **extra))
        reply = await self.post("/item/public_token/exchange", public_token=public)
        self.access_token = str(reply.body["access_token"])
        return self.access_token

    async def read(self, path: str, **body: object) -> Reply:
        """Call an endpoint of the linked Item."""
        return await self.post(path, access_token=self.access_token, **body)

    async def masks(self) -> dict[str, str]:
        """Masks by account id."""
        reply = await self.read("/accounts/get")
        return {row["account_id"]: row["mask"] for row in reply.body["accounts"]}

    async def pages(self, cursor: str = "", count: int = 500) -> AsyncIterator[Any]:
        """The pages of one update."""
        while True:
            body = (await self.read("/transactions/sync", cursor=cursor, count=count)).body
            yield body
            if not body["has_more"]:
                return
            cursor = body["next_cursor"]

    async def rows(self) -> list[Row]:
        """Every movement, in order."""
        masks = await self.masks()
        rows = [
            Row(
                masks[row["account_id"]],
                date.fromisoformat(row["authorized_date"]),
                None if row["pending"] else date.fromisoformat(row["date"]),
                -row["amount"],
            )
            async for page in self.pages()
            for row in page["added"]
        ]
        return sorted(rows, key=str)


class MxCaller(_Caller):
    """Speaks MX."""

    def __init__(self, running: RunningSandbox) -> None:
        super().__init__(running, "mx")
        self.headers = {
            "Accept": "application/json",
            "Accept-Version": "v20250224",
            "Authorization": basic("sandbox_client", "sandbox_key"),
        }
        self.user = ""
        self.member = ""

    async def widget_url(self, code: str | None = "chase", **extra: object) -> str:
        """Make a user (or find it) and a widget URL."""
        made = await self.call("POST", "/users", {"user": {"id": SPACE}})
        if made.status == 409:
            made = await self.call("GET", f"/users/{SPACE}")
        self.user = made.body["user"]["guid"]
        wanted = {"widget_type": "connect_widget", "current_institution_code": code, **extra}
        reply = await self.call("POST", f"/users/{self.user}/widget_urls", {"widget_url": wanted})
        return str(reply.body["widget_url"]["url"])

    async def link(self, code: str = "chase") -> str:
        """Link a login; answers and keeps the member guid."""
        self.member = await self.running.complete(url=await self.widget_url(code))
        return self.member

    async def read(self, rest: str = "", **query: str) -> Reply:
        """Read something of the linked member."""
        return await self.call(
            "GET", f"/users/{self.user}/members/{self.member}{rest}", query=query
        )

    async def listing(self, name: str, **query: str) -> list[Any]:
        """All pages of accounts or transactions."""
        rows: list[Any] = []
        page = 1
        while True:
            body = (await self.read(f"/{name}", page=str(page), **query)).body
            rows += body[name]
            if page >= body["pagination"]["total_pages"]:
                return rows
            page += 1

    async def rows(self) -> list[Row]:
        """Every movement, in order."""
        masks = {row["guid"]: row["account_number"][-4:] for row in await self.listing("accounts")}
        rows = [
            Row(
                masks[row["account_guid"]],
                date.fromisoformat(row["transacted_at"][:10]),
                date.fromisoformat(row["posted_at"][:10]) if row["status"] == "POSTED" else None,
                row["amount"] if row["type"] == "CREDIT" else -row["amount"],
            )
            for row in await self.listing(
                "transactions", from_date="2020-01-01", records_per_page="1000"
            )
        ]
        return sorted(rows, key=str)


class BelvoCaller(_Caller):
    """Speaks Belvo."""

    def __init__(self, running: RunningSandbox) -> None:
        super().__init__(running, "belvo")
        self.headers = {"Authorization": basic("sandbox_id", "sandbox_password")}
        self.link_id = ""

    async def widget_token(self, **extra: object) -> str:
        """Make a token for the widget."""
        body = {
            "id": "sandbox_id",
            "password": "sandbox_password",
            "scopes": "read_institutions,write_links",
            "external_id": SPACE,
            **extra,
        }
        return str((await self.call("POST", "/api/token/", body)).body["access"])

    async def link(self, bank: str = "ins_bbva_mx") -> str:
        """Link a login; answers and keeps the link id."""
        token = await self.widget_token()
        self.link_id = await self.running.complete(token=token, institution_id=bank)
        return self.link_id

    async def listing(self, name: str, **query: str) -> list[Any]:
        """All pages of accounts or transactions of the link."""
        rows: list[Any] = []
        reply = await self.call(
            "GET", f"/api/{name}/", query={"link": self.link_id, "page_size": "1000", **query}
        )
        while True:
            rows += reply.body["results"]
            following = reply.body["next"]
            if following is None:
                return rows
            reply = await self.call("GET", following)

    async def rows(self) -> list[Row]:
        """Every movement, in order."""
        rows = [
            Row(
                row["account"]["number"][-4:],
                date.fromisoformat(row["value_date"]),
                date.fromisoformat(row["accounting_date"][:10]) if row["accounting_date"] else None,
                row["amount"] if row["type"] == "INFLOW" else -row["amount"],
            )
            for row in await self.listing("transactions")
        ]
        return sorted(rows, key=str)


class FinicityCaller(_Caller):
    """Speaks Finicity."""

    def __init__(self, running: RunningSandbox) -> None:
        super().__init__(running, "finicity")
        self.headers = {"Finicity-App-Key": "sandbox_app_key", "Accept": "application/json"}
        self.customer = ""
        self.login = ""

    async def authenticate(self, secret: str = "sandbox_secret") -> Reply:
        """Ask for a token, and keep it where one comes."""
        body = {"partnerId": "sandbox_partner", "partnerSecret": secret}
        reply = await self.call("POST", "/aggregation/v2/partners/authentication", body)
        if reply.status == 200:
            self.headers["Finicity-App-Token"] = str(reply.body["token"])
        return reply

    async def connect_url(self, bank: int | None = 5, **extra: object) -> str:
        """Make a customer (or find it) and an address of Connect."""
        await self.authenticate()
        made = await self.call("POST", "/aggregation/v2/customers/testing", {"username": SPACE})
        if made.status == 409:
            query = {"username": SPACE}
            found = await self.call("GET", "/aggregation/v1/customers", query=query)
            self.customer = str(found.body["customers"][0]["id"])
        else:
            self.customer = str(made.body["id"])
        body = {"partnerId": "sandbox_partner", "customerId": self.customer, **extra}
        path = "/connect/v2/generate"
        if bank is not None:
            path, body = f"{path}/lite", {**body, "institutionId": bank}
        return str((await self.call("POST", path, body)).body["link"])

    async def link(self, bank: int = 5) -> str:
        """Link a login; answers and keeps its id."""
        self.login = await self.running.complete(url=await self.connect_url(bank))
        return self.login

    def path(self, rest: str = "", version: str = "v1") -> str:
        """A path below the customer."""
        return f"/aggregation/{version}/customers/{self.customer}{rest}"

    async def accounts(self) -> list[Any]:
        """The accounts of the login."""
        path = self.path(f"/institutionLogins/{self.login}/accounts")
        rows: list[Any] = (await self.call("GET", path)).body["accounts"]
        return rows

    async def listing(self, account_id: str, **query: str) -> list[Any]:
        """All records of an account, oldest first."""
        path = self.path(f"/accounts/{account_id}/transactions", "v4")
        window = {"fromDate": "0", "toDate": "2000000000", "sort": "asc", "includePending": "true"}
        rows: list[Any] = []
        while True:
            asked = {**window, "limit": "1000", "start": str(len(rows) + 1), **query}
            body = (await self.call("GET", path, query=asked)).body
            rows += body["transactions"]
            if body["moreAvailable"] == "false":
                return rows

    async def rows(self) -> list[Row]:
        """Every movement, in order."""
        found = [
            Row(
                account["accountNumberDisplay"],
                _day(row.get("transactionDate", row.get("postedDate"))),
                None if row["status"] == "pending" else _day(row["postedDate"]),
                row["amount"],
            )
            for account in await self.accounts()
            for row in await self.listing(account["id"])
            if row["status"] != "shadow"
        ]
        return sorted(found, key=str)


def _day(epoch_s: int) -> date:
    return datetime.fromtimestamp(epoch_s, UTC).date()
