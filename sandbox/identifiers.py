"""Vendors' identifiers, derived: the same seed and the same thing give the same id for ever."""

from hashlib import blake2b
from typing import Final

__all__ = ["base62", "digest", "guid", "hex_id", "number", "uuid_text"]

_ALPHABET: Final = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_LETTER_OF_BYTE: Final = bytes(_ALPHABET[byte % len(_ALPHABET)] for byte in range(256))
_SEPARATOR: Final = "\x1f"


def digest(*parts: object, size: int = 16) -> bytes:
    """`size` bytes that depend on all `parts`, joined by their text."""
    return blake2b(_SEPARATOR.join(map(str, parts)).encode(), digest_size=size).digest()


def base62(*parts: object, length: int = 37) -> str:
    """An id of letters and digits in both cases, as Plaid's are; at most 64 characters."""
    return digest(*parts, size=length).translate(_LETTER_OF_BYTE).decode()


def uuid_text(*parts: object) -> str:
    """A version 4 UUID in its usual form."""
    text = digest(*parts).hex()
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-a{text[17:20]}-{text[20:]}"


def guid(prefix: str, *parts: object) -> str:
    """A UUID behind a prefix that names its kind, as MX's are (`MBR-…`)."""
    return f"{prefix}-{uuid_text(prefix, *parts)}"


def hex_id(*parts: object) -> str:
    """32 hexadecimal digits, as Belvo's request ids are."""
    return digest(*parts).hex()


def number(*parts: object, digits: int = 10) -> int:
    """A whole number of that many digits (at most 18), as Finicity's ids are."""
    least: int = 10 ** (digits - 1)
    return least + int.from_bytes(digest(*parts, size=8)) % (9 * least)
