"""What the HTTP interface refuses, and how it says so."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from orchestrator.web.bodies import MAX_BODY_BYTES
from tests.support.system import Linked, System, running_system

pytestmark = pytest.mark.asyncio(loop_scope="module")

JSON = {"Content-Type": "application/json"}


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def system(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[System]:
    """One system for the whole module."""
    async with running_system(tmp_path_factory.mktemp("refusals")) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def linked(system: System) -> Linked:
    """The one connection of space `mine`."""
    return await system.link("mine")


@pytest.mark.parametrize("operation", ["getBalance", "getaccounts", "GETACCOUNTS", "createLink.x"])
async def test_unknown_operation_is_not_found(system: System, operation: str) -> None:
    """Answer 404 for an operation that there is not, naming those there are."""
    answer = await system.call(operation, {"spaceId": "s"})

    assert (404, "not_found", "UNKNOWN_OPERATION") == (
        answer.status,
        answer.error["type"],
        answer.error["code"],
    )
    assert "getAccounts" in answer.error["message"]


@pytest.mark.parametrize(
    "raw", [b"", b"{", b"nonsense", b'{"a": NaN}', b"\xff\xfe", b"[" * 5000, b"[]", b"null", b"7"]
)
async def test_body_that_is_no_json_object_is_refused(system: System, raw: bytes) -> None:
    """Answer 422 to a body that is no JSON object, however it is broken."""
    answer = await system.http.post("/v1/operations/getAccounts", content=raw, headers=JSON)

    assert 422 == answer.status_code
    assert "validation" == answer.json()["error"]["type"]


@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "application/jsonp"],
)
async def test_other_content_types_are_refused(system: System, content_type: str) -> None:
    """Take JSON only, so that no web page's form can call."""
    answer = await system.http.post(
        "/v1/operations/getAccounts",
        content=b'{"params": {"spaceId": "s"}}',
        headers={"Content-Type": content_type},
    )

    assert 422 == answer.status_code
    assert "Content-Type" in answer.json()["error"]["message"]


async def test_missing_content_type_is_refused(system: System) -> None:
    """Take no body without a content type."""
    answer = await system.http.post("/v1/operations/getAccounts", content=b"{}")

    assert 422 == answer.status_code


async def test_charset_beside_the_content_type_is_taken(system: System) -> None:
    """Take JSON that names its charset."""
    answer = await system.http.post(
        "/v1/operations/createLink",
        content=b'{"params": {"spaceId": "s"}}',
        headers={"Content-Type": "Application/JSON; charset=utf-8"},
    )

    assert 200 == answer.status_code


@pytest.mark.parametrize("path", ["/v1/operations/getAccounts", "/v1/batch"])
async def test_large_body_is_too_large(system: System, path: str) -> None:
    """Answer 413 to a body over 1 MiB."""
    answer = await system.http.post(path, content=b" " * (MAX_BODY_BYTES + 1), headers=JSON)

    assert (413, "too_large") == (answer.status_code, answer.json()["error"]["type"])


async def test_body_of_exactly_one_mebibyte_is_taken(system: System) -> None:
    """Take a body of 1 MiB to the byte."""
    raw = b'{"params": {"spaceId": "s"}}'
    answer = await system.http.post(
        "/v1/operations/createLink",
        content=raw + b" " * (MAX_BODY_BYTES - len(raw)),
        headers=JSON,
    )

    assert 200 == answer.status_code


@pytest.mark.parametrize(
    ("operation", "body", "field"),
    [
        ("getAccounts", {"params": {"spaceId": "s"}, "colour": 1}, "colour"),
        ("getAccounts", {"params": {"spaceId": "s", "colour": 1}}, "params.colour"),
        ("getAccounts", {"params": {"spaceId": "s", "accountId": "a"}}, "params.accountId"),
        ("getAccounts", {}, "params"),
        ("getAccounts", {"params": []}, "params"),
        ("getAccounts", {"params": {}}, "params.spaceId"),
        ("getAccounts", {"params": {"spaceId": 7}}, "params.spaceId"),
        ("getAccounts", {"params": {"spaceId": ""}}, "params.spaceId"),
        ("getAccounts", {"params": {"spaceId": "s"}, "region": "FR"}, "region"),
        ("getAccounts", {"params": {"spaceId": "s"}, "region": ""}, "region"),
        ("getAccounts", {"params": {"spaceId": "s"}, "region": 1}, "region"),
        ("getAccounts", {"params": {"spaceId": "s"}, "priority": "urgent"}, "priority"),
        ("getAccounts", {"params": {"spaceId": "s"}, "priority": ""}, "priority"),
        ("getAccounts", {"params": {"spaceId": "s"}, "deadlineMs": 99}, "deadlineMs"),
        ("getAccounts", {"params": {"spaceId": "s"}, "deadlineMs": 600_001}, "deadlineMs"),
        ("getAccounts", {"params": {"spaceId": "s"}, "deadlineMs": "500"}, "deadlineMs"),
        ("getAccounts", {"params": {"spaceId": "s"}, "deadlineMs": True}, "deadlineMs"),
        ("getAccounts", {"params": {"spaceId": "s"}, "deadlineMs": 500.5}, "deadlineMs"),
        ("getAccounts", {"params": {"spaceId": "s"}, "preferredProvider": "acme"}, "preferred"),
        ("getAccounts", {"params": {"spaceId": "s"}, "preferredProvider": 1}, "preferred"),
        ("createLink", {"params": {"spaceId": "s", "language": "de"}}, "params.language"),
        ("createLink", {"params": {"spaceId": "s", "redirectUri": "javascript:1"}}, "redirectUri"),
        ("createLink", {"params": {"spaceId": "s", "backup": True}}, "params.backup"),
        ("syncTransactions", {"params": {"spaceId": "s", "limit": 0}}, "params.limit"),
        ("syncTransactions", {"params": {"spaceId": "s", "limit": 10_001}}, "params.limit"),
        ("syncTransactions", {"params": {"spaceId": "s", "startDate": "soon"}}, "startDate"),
        (
            "syncTransactions",
            {"params": {"spaceId": "s", "startDate": "2026-02-02", "endDate": "2026-02-01"}},
            "endDate",
        ),
        (
            "syncTransactions",
            {"params": {"spaceId": "s", "cursor": "c", "startDate": "2026-02-02"}},
            "cursor",
        ),
    ],
)
async def test_wrong_field_is_named(
    system: System, operation: str, body: dict[str, object], field: str
) -> None:
    """Answer 422 to a field that is unknown or wrong, and name it."""
    answer = await system.post(f"/v1/operations/{operation}", body)

    assert (422, "validation", False) == (
        answer.status,
        answer.error["type"],
        answer.error["retryable"],
    )
    assert field in answer.error["message"]


@pytest.mark.parametrize(
    ("operation", "params", "code"),
    [
        ("getAccounts", {"spaceId": "nobody"}, "UNKNOWN_SPACE"),
        ("getAccounts", {"spaceId": "mine", "connectionId": "conn_x"}, "UNKNOWN_CONNECTION"),
        ("getAccounts", {"spaceId": "mine", "institutionId": "ins_citi"}, "NOT_LINKED"),
        ("syncTransactions", {"spaceId": "mine", "accountId": "acc_x"}, "UNKNOWN_ACCOUNT"),
        ("createLink", {"spaceId": "mine", "connectionId": "conn_x"}, "UNKNOWN_CONNECTION"),
    ],
)
async def test_what_is_not_there_is_not_found(
    system: System, linked: Linked, operation: str, params: dict[str, str], code: str
) -> None:
    """Answer 404 for spaces, connections and accounts that there are not."""
    answer = await system.call(operation, params)

    assert (404, "not_found", code) == (
        answer.status,
        answer.error["type"],
        answer.error["code"],
    )


async def test_space_that_has_linked_nothing_is_told_so(system: System) -> None:
    """Answer 404 to a read of a space that has begun a link and not finished it."""
    await system.call("createLink", {"spaceId": "begun"})
    answer = await system.call("getAccounts", {"spaceId": "begun"})

    assert (404, "NOTHING_LINKED") == (answer.status, answer.error["code"])


async def test_link_session_of_another_space_is_not_found(system: System) -> None:
    """Know a link session only within its own space."""
    params = await system.played({"spaceId": "owner", "institutionId": "ins_chase"})
    other = await system.exchange({**params, "spaceId": "thief"})
    unknown = await system.exchange({**params, "linkSessionId": "ls_unknown"})
    own = await system.exchange(params)

    assert [404, 404, 200] == [other.status, unknown.status, own.status]


async def test_connection_of_another_space_is_not_found(system: System, linked: Linked) -> None:
    """Know a connection only within its own space."""
    await system.call("createLink", {"spaceId": "curious"})
    answers = [
        await system.call(operation, {"spaceId": "curious", "connectionId": linked.connection_id})
        for operation in ("getAccounts", "syncTransactions", "createLink")
    ]

    assert [404, 404, 404] == [answer.status for answer in answers]


async def test_foreign_cursor_is_refused(system: System, linked: Linked) -> None:
    """Refuse a cursor of another space, a forged one, and one for another account."""
    await system.link("foreign")
    accounts = (await system.call("getAccounts", {"spaceId": "foreign"})).data["accounts"]
    made = await system.call(
        "syncTransactions", {"spaceId": "foreign", "accountId": accounts[0]["accountId"]}
    )
    cursor = made.data["nextCursor"]
    answers = [
        await system.call("syncTransactions", params)
        for params in (
            {"spaceId": "mine", "cursor": cursor},
            {"spaceId": "foreign", "cursor": cursor[:-6] + "AAAAAA"},
            {"spaceId": "foreign", "cursor": "ñ"},
            {
                "spaceId": "foreign",
                "cursor": cursor,
                "accountId": accounts[1]["accountId"],
            },
        )
    ]

    assert [(422, "INVALID_CURSOR")] * 4 == [
        (answer.status, answer.error["code"]) for answer in answers
    ]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"operations": []},
        {"operations": {}},
        {"operations": [{}] * 1001},
        {"operations": [{}], "more": 1},
    ],
)
async def test_batch_out_of_bounds_is_refused(system: System, body: dict[str, object]) -> None:
    """Take 1 to 1000 operations in a batch, and nothing beside them."""
    answer = await system.post("/v1/batch", body)

    assert (422, "validation") == (answer.status, answer.error["type"])


async def test_wrong_method_tells_its_status_alike(system: System) -> None:
    """Answer 405 to a wrong method, in the status line and in the document."""
    answer = await system.get("/v1/operations/getAccounts")

    assert 405 == answer.status == answer.body["status"]
    assert "POST" == answer.headers["allow"]
    assert "application/problem+json" == answer.headers["content-type"]


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "127.0.0.1.evil.example:8000"},
        {"Host": "["},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://[broken"},
    ],
)
@pytest.mark.parametrize(
    "path", ["/v1/operations/getAccounts", "/v1/operations/other", "/v1/batch"]
)
async def test_foreign_names_are_refused_without_keys(
    system: System, headers: dict[str, str], path: str
) -> None:
    """Take only loopback names in Host and Origin while no keys are set."""
    answer = await system.post(path, {"params": {"spaceId": "s"}}, headers=headers)

    assert (403, "forbidden") == (answer.status, answer.error["type"])


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "localhost:8000"},
        {"Host": "LOCALHOST"},
        {"Host": "[::1]:8000"},
        {"Origin": "http://127.0.0.1:3000"},
    ],
)
async def test_loopback_names_are_taken_without_keys(
    system: System, headers: dict[str, str]
) -> None:
    """Take every name of this machine while no keys are set."""
    answer = await system.call("createLink", {"spaceId": "s"}, headers=headers)

    assert 200 == answer.status
