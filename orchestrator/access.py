"""Who may call: bearer keys where any are set, loopback names only where none are."""

import hashlib
import hmac
import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import urlsplit

from orchestrator.domain import ConfigurationError, ErrorType, OperationError, RequestRefused

__all__ = ["Access", "Caller"]


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks. `caller_id` is a digest of the key, "" where there are none."""

    caller_id: str
    is_admin: bool
    spaces: frozenset[str] | None

    def may_see(self, space_id: str) -> bool:
        """Whether this space is within the key's reach."""
        return self.spaces is None or space_id in self.spaces


@dataclass(frozen=True, slots=True)
class _Key:
    digest: bytes
    is_admin: bool
    spaces: frozenset[str] | None


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()


def _unauthorized(message: str) -> RequestRefused:
    return RequestRefused(OperationError(ErrorType.UNAUTHORIZED, "UNAUTHORIZED", message))


class Access:
    """Checks callers against the configured keys.

    Args:
        api_keys: `key` or `key:space_1|space_2`.
        admin_keys: keys that may do everything.

    Raises:
        ConfigurationError: a key is empty or its spaces are.

    """

    def __init__(self, api_keys: tuple[str, ...], admin_keys: tuple[str, ...]) -> None:
        keys = [_Key(_digest(key), is_admin=True, spaces=None) for key in admin_keys]
        for text in api_keys:
            key, bound, spaces = text.partition(":")
            named = frozenset(space for space in spaces.split("|") if space)
            if not key or (bound and not named):
                raise ConfigurationError(
                    "ORCHESTRATOR_API_KEYS: write each key as 'key' or 'key:space_1|space_2'"
                )
            keys.append(_Key(_digest(key), is_admin=False, spaces=named or None))
        self._keys = tuple(keys)

    @property
    def is_open(self) -> bool:
        """Whether no keys are set, so that only loopback may call."""
        return not self._keys

    def check_bind(self, host: str) -> None:
        """Refuse to listen beyond this machine while anyone may call.

        Raises:
            ConfigurationError: not a loopback address, and no keys are set.

        """
        if self.is_open and not _is_loopback_name(host):
            raise ConfigurationError(
                f"refusing to listen on {host} without authentication: set ORCHESTRATOR_API_KEYS "
                "or ORCHESTRATOR_ADMIN_KEYS, or listen on 127.0.0.1"
            )

    def caller(self, headers: Mapping[str, str], *, admin: bool) -> Caller:
        """Who sends these headers.

        Args:
            headers: of the request, names in lower case.
            admin: whether an admin key is wanted.

        Raises:
            RequestRefused: `unauthorized` or `forbidden`.

        """
        if self.is_open:
            self._check_local(headers)
            return Caller("", is_admin=True, spaces=None)
        scheme, _, key = headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not key:
            raise _unauthorized("send your key as 'Authorization: Bearer …'")
        digest = _digest(key.strip())
        found = None
        for known in self._keys:
            # All are compared, whichever matches; admin keys come first and win.
            if hmac.compare_digest(known.digest, digest) and found is None:
                found = known
        if found is None:
            raise _unauthorized("this key is not known")
        if admin and not found.is_admin:
            raise RequestRefused(
                OperationError(ErrorType.FORBIDDEN, "ADMIN_ONLY", "an admin key is needed here")
            )
        return Caller(digest.hex()[:16], found.is_admin, found.spaces)

    def _check_local(self, headers: Mapping[str, str]) -> None:
        # Without keys, a web page anywhere could make the user's browser call us: a foreign Host
        # (DNS rebinding) or Origin is refused.
        origin = headers.get("origin")
        is_local = _is_loopback_address(f"//{headers.get('host', '')}")
        if not is_local or not (origin is None or _is_loopback_address(origin)):
            raise RequestRefused(
                OperationError(
                    ErrorType.FORBIDDEN,
                    "LOOPBACK_ONLY",
                    "without keys only loopback names are taken in Host and Origin",
                )
            )


@lru_cache(maxsize=256)
def _is_loopback_address(address: str) -> bool:
    """Whether the host in an address is this machine; callers write the same few again and again."""
    return _is_loopback_name(_name_in(address))


def _name_in(address: str) -> str | None:
    """The host name in an address, None where it has none or cannot be read."""
    try:
        return urlsplit(address).hostname
    except ValueError:
        return None


def _is_loopback_name(host: str | None) -> bool:
    if host == "localhost":
        return True
    try:
        return host is not None and ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
