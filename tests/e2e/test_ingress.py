"""Where a system listens, what its proxy answers, and a second one beside it."""

import ipaddress
import json
import socket
import time
from collections.abc import Callable, Iterator

import httpx
import psutil
import pytest

from tests.e2e.journeys import Caller
from tests.support.serving import Serving
from tests.support.serving import serving as start_serving

pytestmark = pytest.mark.ray

ONE_AT_ONCE = """
[ingress]
max_requests = 1
[requests]
attempt_timeout_ms = 60000
call_timeout_ms = 60000
"""
WAIT_S = 20.0
GET_ACCOUNTS = "/v1/operations/getAccounts"


def tree(system: Serving) -> list[psutil.Process]:
    """Every process of a system."""
    first = psutil.Process(system.process.pid)
    return [first, *first.children(recursive=True)]


def listeners(system: Serving) -> dict[str, str]:
    """Addresses on which a system's processes listen, with the process of each."""
    found = {}
    for process in tree(system):
        try:
            for one in process.net_connections("inet"):
                if one.status == psutil.CONN_LISTEN:
                    found[f"{one.laddr.ip} {one.laddr.port}"] = " ".join(process.cmdline())[:80]
        except psutil.Error:
            continue
    return found


def is_loopback(place: str) -> bool:
    """Whether an address is this machine's own, in either family."""
    address = ipaddress.ip_address(place.split(maxsplit=1)[0])
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback


def eventually(condition: Callable[[], bool]) -> bool:
    """Whether a condition of another process comes true within a bound."""
    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline:
        if condition():
            return True
    return condition()


@pytest.fixture(scope="module")
def narrow(serving: Serving, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """A second system beside the first, which takes one request at a time."""
    with start_serving(tmp_path_factory.mktemp("narrow"), ONE_AT_ONCE) as system:
        yield system


def test_everything_listens_on_loopback_alone(serving: Serving) -> None:
    """No socket of any process of a system can be reached from another machine."""
    found = listeners(serving)

    assert len(found) > 10
    assert {} == {place: who for place, who in found.items() if not is_loopback(place)}


def test_a_request_id_is_told_once_and_made_where_none_was_given(serving: Serving) -> None:
    """A caller's id comes back; without one, or with an unusable one, ours begins with req_."""
    with serving.http() as http:
        for path in ("/healthz", "/readyz", "/v1/nothing"):
            given = http.get(path, headers={"X-Request-Id": "mine-1"})
            made = http.get(path)

            assert ["mine-1"] == given.headers.get_list("x-request-id")
            assert 1 == len(made.headers.get_list("x-request-id"))
            assert made.headers["x-request-id"].startswith("req_")


def test_two_systems_share_no_place(serving: Serving, narrow: Serving) -> None:
    """Two systems run side by side, each with ports of its own, and both answer."""
    shared = {p.split()[1] for p in listeners(serving)} & {p.split()[1] for p in listeners(narrow)}

    assert set() == shared
    for system in (serving, narrow):
        with system.http() as http:
            assert 200 == http.get("/healthz").status_code
            assert 200 == http.get("/readyz").status_code


def test_over_the_bound_callers_are_told_to_come_again_until_the_first_has_gone(
    narrow: Serving,
) -> None:
    """One request fills the system: others get 429 with Retry-After, until its caller goes away."""
    caller = Caller(narrow)
    caller.link("plaid", "ins_chase")
    caller.fault(provider="plaid", kind="timeout")
    body = {"params": {"spaceId": caller.space, "institutionId": "ins_chase"}, "deadlineMs": 60000}
    raw = json.dumps(body).encode()
    url = httpx.URL(narrow.url)
    with socket.create_connection((url.host, url.port or 80), timeout=30) as held:
        held.sendall(
            f"POST {GET_ACCOUNTS} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(raw)}\r\n\r\n".encode()
            + raw
        )

        def is_full() -> bool:
            return caller.http.post(GET_ACCOUNTS, json={"params": {}}).status_code == 429

        assert eventually(is_full)
        over = caller.http.post(GET_ACCOUNTS, json={"params": {}})
        probes = [caller.http.get(path).status_code for path in ("/healthz", "/readyz")]

    assert eventually(lambda: not is_full())
    caller.mend()
    caller.close()
    assert "1" == over.headers["retry-after"]
    assert "application/problem+json" == over.headers["content-type"]
    assert ("overloaded", over.headers["x-request-id"]) == (
        over.json()["error"]["type"],
        over.json()["requestId"],
    )
    assert [200, 200] == probes


def test_a_stopped_system_leaves_no_process_and_the_other_goes_on(
    serving: Serving, narrow: Serving
) -> None:
    """Stopping one system ends every process of it, and none of the other's."""
    left = tree(narrow)

    assert 0 == narrow.stop()
    assert [] == psutil.wait_procs(left, timeout=WAIT_S)[1]
    with serving.http() as http:
        assert 200 == http.get("/readyz").status_code
