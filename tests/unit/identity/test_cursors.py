"""Our cursor: opaque, of one space, and refused when it is not ours."""

import base64
import datetime as dt
import hashlib
import hmac
from dataclasses import replace

import pytest

from orchestrator.identity import Cursor

CURSOR = Cursor(
    space_id="space_1",
    provider="plaid",
    connection_id="conn_1",
    account_id="acc_1",
    provider_cursor="vendor|cursor=é+/",
    since=dt.date(2026, 2, 28),
)


def mac(data: bytes, key: bytes = b"key") -> str:
    """A keyed digest in hex."""
    return hmac.new(key, data, hashlib.sha256).hexdigest()


@pytest.mark.parametrize("cursor", [CURSOR, replace(CURSOR, account_id=None, provider_cursor="")])
def test_a_cursor_comes_back_from_its_text(cursor: Cursor) -> None:
    """What was encoded for a space decodes for that space."""
    assert cursor == Cursor.decode(cursor.encode(mac), "space_1", mac)


def test_the_text_is_safe_in_a_url_and_short_enough() -> None:
    """An adapter's longest cursor (1,500 characters) makes at most 4,096 URL-safe characters."""
    text = replace(CURSOR, provider_cursor="x" * 1500).encode(mac)

    assert len(text) <= 4096
    assert set(text) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")


def test_a_cursor_of_another_space_is_refused() -> None:
    """A cursor that another space was given is not ours to follow."""
    with pytest.raises(ValueError, match="not a cursor of ours"):
        Cursor.decode(CURSOR.encode(mac), "space_2", mac)


def test_a_cursor_under_another_key_is_refused() -> None:
    """A cursor that another installation made is refused."""
    with pytest.raises(ValueError, match="not a cursor of ours"):
        Cursor.decode(CURSOR.encode(lambda data: mac(data, b"other")), "space_1", mac)


def test_a_cursor_changed_in_any_place_is_refused() -> None:
    """Whichever byte is changed, the cursor is refused."""
    text = CURSOR.encode(mac)
    raw = bytearray(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    for place in range(len(raw)):
        forged = bytes(raw[:place]) + bytes([raw[place] ^ 1]) + bytes(raw[place + 1 :])
        with pytest.raises(ValueError, match="not a cursor of ours"):
            Cursor.decode(base64.urlsafe_b64encode(forged).decode(), "space_1", mac)


@pytest.mark.parametrize("text", ["", "a", "not base64!", "é", "\x00", "=" * 10, "A" * 10_000])
def test_any_other_text_is_refused(text: str) -> None:
    """Text that never was a cursor raises ValueError and nothing else."""
    with pytest.raises(ValueError, match="not a cursor of ours"):
        Cursor.decode(text, "space_1", mac)
