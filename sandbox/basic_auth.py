"""HTTP Basic credentials (RFC 7617), as MX and Belvo take them."""

import binascii
from base64 import b64decode
from hmac import compare_digest

__all__ = ["has_basic"]


def has_basic(header: str | None, user: str, password: str) -> bool:
    """Whether an Authorization header carries exactly this user and password."""
    scheme, _, encoded = (header or "").partition(" ")
    if scheme.lower() != "basic":
        return False
    try:
        given = b64decode(encoded.strip(), validate=True)
    except (binascii.Error, ValueError):
        return False
    return compare_digest(given, f"{user}:{password}".encode())
