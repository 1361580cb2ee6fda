"""Reading request bodies."""

import asyncio
from collections.abc import Iterable

import pytest
from fastapi import HTTPException, Request
from starlette.types import Message

from orchestrator.domain import ErrorType, RequestRefused
from orchestrator.web.bodies import MAX_BODY_BYTES, read_bytes, read_json_object


def _request(chunks: Iterable[bytes], content_type: str | None = "application/json") -> Request:
    waiting = list(chunks) or [b""]

    async def receive() -> Message:
        chunk = waiting.pop(0)
        return {"type": "http.request", "body": chunk, "more_body": bool(waiting)}

    headers = [] if content_type is None else [(b"content-type", content_type.encode())]
    return Request({"type": "http", "method": "POST", "headers": headers}, receive)


async def _refusal(request: Request) -> tuple[ErrorType, str]:
    with pytest.raises(RequestRefused) as caught:
        await read_json_object(request)
    return caught.value.error.type, caught.value.error.code


async def test_object_is_read_from_its_pieces() -> None:
    """Join the pieces in which a body arrives."""
    assert {"a": [1, 2]} == await read_json_object(_request([b'{"a": [', b"1, 2", b"]}"]))


@pytest.mark.parametrize(
    "content_type", ["application/json", "APPLICATION/JSON", "application/json; charset=utf-8"]
)
async def test_json_is_taken_however_it_is_named(content_type: str) -> None:
    """Take the media type in any case and with parameters."""
    assert {} == await read_json_object(_request([b"{}"], content_type))


@pytest.mark.parametrize("content_type", [None, "", "text/plain", "application/json2", "json"])
async def test_other_media_types_are_refused(content_type: str | None) -> None:
    """Refuse every media type but JSON."""
    assert (ErrorType.VALIDATION, "INVALID_FIELD") == await _refusal(
        _request([b"{}"], content_type)
    )


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"", "INVALID_JSON"),
        (b"{", "INVALID_JSON"),
        (b'{"a": Infinity}', "INVALID_JSON"),
        (b'"\xc3("', "INVALID_JSON"),
        (b"[" * 100_000, "INVALID_JSON"),
        (b"[1]", "INVALID_FIELD"),
        (b'"text"', "INVALID_FIELD"),
    ],
)
async def test_anything_but_an_object_is_refused(raw: bytes, code: str) -> None:
    """Tell a body that is no JSON from one that is no object."""
    assert (ErrorType.VALIDATION, code) == await _refusal(_request([raw]))


async def test_refusal_does_not_repeat_the_body() -> None:
    """Say what is wrong with a body without quoting it."""
    with pytest.raises(RequestRefused) as caught:
        await read_json_object(_request([b'{"token": "public-secret", ']))

    assert "public-secret" not in caught.value.error.message


async def test_reading_stops_at_the_bound() -> None:
    """Refuse a body as too large once it is over a mebibyte, and read no further."""
    piece = b" " * (MAX_BODY_BYTES // 4)
    given = iter([piece] * 5 + [b"unread"])
    taken: list[bytes] = []

    def pieces() -> Iterable[bytes]:
        for one in given:
            taken.append(one)
            yield one

    source = pieces()

    async def receive() -> Message:
        return {"type": "http.request", "body": next(iter(source)), "more_body": True}

    request = Request(
        {"type": "http", "method": "POST", "headers": [(b"content-type", b"application/json")]},
        receive,
    )

    assert (ErrorType.TOO_LARGE, "BODY_TOO_LARGE") == await _refusal(request)
    assert b"unread" not in taken


async def test_bytes_are_read_whatever_they_are() -> None:
    """Give a body as it came, of any media type and up to its bound."""
    assert b"\xff{}" == await read_bytes(_request([b"\xff", b"{}"], "x/y"), 3)


async def test_bytes_beyond_the_bound_are_refused() -> None:
    """Refuse one byte too many."""
    with pytest.raises(RequestRefused) as caught:
        await read_bytes(_request([b"\xff", b"{}"]), 2)

    assert ErrorType.TOO_LARGE is caught.value.error.type


async def test_body_that_does_not_arrive_is_not_waited_for() -> None:
    """Give up on a body that takes longer than it may."""

    async def receive() -> Message:
        await asyncio.Event().wait()
        raise AssertionError

    with pytest.raises(HTTPException) as caught:
        await read_bytes(Request({"type": "http"}, receive), 10, within_s=0.01)

    assert 408 == caught.value.status_code


async def test_body_that_breaks_off_is_refused() -> None:
    """Blame a body without an end on its sender, not on us."""

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    with pytest.raises(HTTPException) as caught:
        await read_bytes(Request({"type": "http"}, receive), 10)

    assert 400 == caught.value.status_code
