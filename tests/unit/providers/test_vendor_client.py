"""Requests to a vendor, as they leave."""

import json
from collections.abc import Generator

import httpx
import pytest

from orchestrator.providers.vendor_client import client_for
from orchestrator.providers.vendor_wire import timeout_of
from tests.support.httpx_wire import HttpxWire

BASE = "https://vendor.example/api"


class Seen:
    """A vendor that remembers what it was sent."""

    def __init__(self) -> None:
        self.requests: list[httpx.Request] = []
        self.client = client_for(BASE, wire=HttpxWire(httpx.MockTransport(self._handle)))

    def _handle(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        return httpx.Response(200, json={})


class Signing(httpx.Auth):
    """Puts the body's length and the target on a request."""

    requires_request_body = True

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Sign."""
        request.headers["Signed"] = f"{len(request.content)} {request.url.raw_path.decode()}"
        yield request


async def test_a_path_stands_below_the_base_whatever_it_looks_like() -> None:
    """A path that names another host is one of the vendor's own all the same."""
    vendor = Seen()
    for path in ("accounts/get", "https://evil.example/steal", "a%2Fb", "ü"):
        await vendor.client.send("GET", path, headers={}, silence_s=1)

    assert {"vendor.example"} == {request.url.host for request in vendor.requests}
    assert all(str(request.url).startswith(BASE + "/") for request in vendor.requests)


async def test_the_same_path_is_the_same_address_each_time() -> None:
    """What was worked out once serves again, and query items are each request's own."""
    vendor = Seen()
    for query in (None, {"page": "1"}, {"page": "2 &"}, None):
        await vendor.client.send("GET", "rows", query=query, headers={}, silence_s=1)

    assert ["", "page=1", "page=2+%26", ""] == [r.url.query.decode() for r in vendor.requests]


async def test_a_body_is_json_and_says_so() -> None:
    """Names and letters arrive as they are; a request without a body says nothing of one."""
    vendor = Seen()
    await vendor.client.send("POST", "x", json={"name": "Peña"}, headers={}, silence_s=1)
    await vendor.client.send("GET", "x", headers={}, silence_s=1)
    posted, asked = vendor.requests

    assert {"name": "Peña"} == json.loads(posted.content)
    assert "application/json" == posted.headers["content-type"]
    assert ("", "content-type" in asked.headers) == (asked.content.decode(), False)


async def test_a_calls_own_headers_stand_over_ours() -> None:
    """Every request says who asks, and for what, unless told otherwise."""
    vendor = Seen()
    await vendor.client.send("GET", "x", headers={"Accept": "application/vnd.mx"}, silence_s=1)
    (request,) = vendor.requests

    assert "application/vnd.mx" == request.headers["accept"]
    assert "provider-orchestrator" == request.headers["user-agent"]


async def test_a_signature_sees_what_is_sent() -> None:
    """Body and target, with the query, are there when a request is signed."""
    vendor = Seen()
    await vendor.client.send(
        "POST", "x", json=[1], query={"a": "b"}, headers={}, auth=Signing(), silence_s=1
    )

    assert "3 /api/x?a=b" == vendor.requests[0].headers["signed"]


@pytest.mark.parametrize(("silence_s", "connect_s"), [(1.0, 1.0), (60.0, 5.0)])
def test_connecting_takes_no_longer_than_a_silence_may(silence_s: float, connect_s: float) -> None:
    """Five seconds, or less where the call itself has less."""
    bounds = timeout_of(silence_s)

    assert (connect_s, silence_s) == (bounds.sock_connect, bounds.sock_read)
