"""What Belvo's sandbox answers beyond what an adapter needs, held against Belvo's OpenAPI document."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from sandbox.options import SandboxOptions
from tests.support.openapi_documents import Document, document
from tests.support.sandbox import running_sandbox
from tests.support.vendor_callers import BelvoCaller, Reply

PERIOD = {"date_from": "2026-02-01", "date_to": "2026-03-18"}
CREDENTIALS = {"institution": "erebor_mx_retail", "username": "bnk100", "password": "full"}
CODES_OF_400 = [
    *("too_many_sessions", "session_expired", "required", "null", "blank", "does_not_exist"),
    *("institution_down", "institution_unavailable", "institution_inactive", "invalid_link"),
    *("unsupported_operation", "unconfirmed_link", "login_error", "invalid", "invalid_period"),
]


@asynccontextmanager
async def caller(**options: Any) -> AsyncIterator[BelvoCaller]:
    """Somebody who speaks Belvo to a fresh sandbox."""
    async with running_sandbox(options=SandboxOptions(**options)) as running:
        yield BelvoCaller(running)


def plainly(value: object) -> object:
    """The value with numbers that a validator knows."""
    if isinstance(value, dict):
        return {name: plainly(part) for name, part in value.items()}
    if isinstance(value, list):
        return [plainly(part) for part in value]
    return value if value is None or isinstance(value, str | int) else float(str(value))


def objections(judge: Document, method: str, path: str, reply: Reply, status: int) -> list[str]:
    """The document's objections to an answer that should have this status."""
    assert status == reply.status, reply.raw[:300]

    return judge.problems(method, path, reply.status, plainly(reply.body) if reply.raw else None)


async def test_every_endpoint_answers_as_documented() -> None:
    """Links made by hand, details, balances, and what is not saved."""
    judge = document("belvo")
    async with caller() as belvo:

        async def call(method: str, path: str, body: object = None, **query: str) -> Reply:
            return await belvo.call(method, path, body, query)

        made = await call("POST", "/api/links/", {**CREDENTIALS, "access_mode": "single"})
        belvo.link_id = link = made.body["id"]
        one = "/api/links/{id}/"
        live = {"link": link, **PERIOD}
        ids = {
            name: (await call("GET", f"/api/{name}/", link=link)).body["results"][0]["id"]
            for name in ("accounts", "transactions", "institutions")
        }
        replies = [
            ("POST", "/api/links/", made, 201),
            ("GET", "/api/links/", await call("GET", "/api/links/", id=link), 200),
            ("PUT", one, await call("PUT", f"/api/links/{link}/", {"password": "new"}), 200),
            (
                "PATCH",
                one,
                await call("PATCH", f"/api/links/{link}/", {"access_mode": "recurrent"}),
                200,
            ),
            ("GET", "/api/balances/", await call("GET", "/api/balances/", link=link), 200),
            ("POST", "/api/balances/", await call("POST", "/api/balances/", live), 201),
            (
                "POST",
                "/api/balances/",
                await call("POST", "/api/balances/", {**live, "save_data": False}),
                200,
            ),
            (
                "POST",
                "/api/accounts/",
                await call("POST", "/api/accounts/", {"link": link, "save_data": False}),
                200,
            ),
            (
                "POST",
                "/api/transactions/",
                await call("POST", "/api/transactions/", {**live, "save_data": False}),
                200,
            ),
            *[
                (
                    "GET",
                    f"/api/{name}/{{id}}/",
                    await call("GET", f"/api/{name}/{found}/"),
                    200,
                )
                for name, found in ids.items()
            ],
            ("GET", "/api/accounts/{id}/", await call("GET", f"/api/accounts/{link}/"), 404),
        ]

    for method, path, reply, status in replies:
        assert [] == objections(judge, method, path, reply, status), f"{method} {path}"


@pytest.mark.parametrize("name", ["accounts", "transactions", "balances"])
async def test_a_code_is_asked_for_and_taken_as_documented(name: str) -> None:
    """The 428 with its session, and what going on with it answers."""
    judge, path = document("belvo"), f"/api/{name}/"
    async with caller(belvo_asks_code=True) as belvo:
        await belvo.link()
        body = {"link": belvo.link_id, **({} if name == "accounts" else PERIOD)}
        asked = await belvo.call("POST", path, body)
        going_on = {
            "session": asked.body[0]["session"],
            "link": belvo.link_id,
            "token": "1234",
        }
        done = await belvo.call("PATCH", path, going_on)
        over = await belvo.call("PATCH", path, going_on)

    assert [] == objections(judge, "POST", path, asked, 428)
    assert [] == objections(judge, "PATCH", path, done, 201)
    assert [] == objections(judge, "PATCH", path, over, 400)


async def test_a_link_that_wants_a_code_is_as_documented() -> None:
    """The same for making a link."""
    judge, path = document("belvo"), "/api/links/"
    async with caller(belvo_asks_code=True) as belvo:
        asked = await belvo.call("POST", path, CREDENTIALS)
        first = asked.body[0]
        going_on = {"session": first["session"], "link": first["link"], "token": "1234"}
        done = await belvo.call("PATCH", path, going_on)

    assert [] == objections(judge, "POST", path, asked, 428)
    assert [] == objections(judge, "PATCH", path, done, 200)


async def test_a_slow_bank_times_out_as_documented() -> None:
    """408 is an array like the others."""
    judge, path = document("belvo"), "/api/transactions/"
    async with caller(belvo_widest_days=3) as belvo:
        await belvo.link()
        reply = await belvo.call("POST", path, {"link": belvo.link_id, **PERIOD})

    assert [] == objections(judge, "POST", path, reply, 408)


@pytest.mark.parametrize("code", CODES_OF_400)
async def test_every_refusal_is_as_documented(code: str) -> None:
    """A code that the document names comes in its form."""
    judge, path = document("belvo"), "/api/transactions/"
    async with caller() as belvo:
        await belvo.link()
        await belvo.running.put_faults({"provider": "belvo", "kind": "error", "errorCode": code})
        reply = await belvo.call("POST", path, {"link": belvo.link_id, **PERIOD})

    assert [] == objections(judge, "POST", path, reply, 400)
