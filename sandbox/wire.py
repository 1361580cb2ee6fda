"""What goes over the wire, before aiohttp sees it: calls in, answers out, money as exact numbers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Final

import orjson

from .faults import FaultKind

__all__ = ["Answer", "Call", "JsonObject", "Refusal", "dumps", "instant", "rfc3339"]

JsonObject = dict[str, object]

_JSON: Final = "application/json"


def _number(value: object) -> orjson.Fragment:
    if isinstance(value, Decimal):
        return orjson.Fragment(format(value, "f"))
    raise TypeError(f"{type(value).__name__} has no place in an answer")


def dumps(payload: object) -> bytes:
    """JSON in which a Decimal is the number that its text says: `Decimal("12.30")` is `12.30`."""
    return orjson.dumps(payload, default=_number)


def rfc3339(at: datetime) -> str:
    """A UTC time to the second, with `Z`."""
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def instant(at: datetime) -> str:
    """A UTC time to the millisecond, with `Z`."""
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}Z"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a vendor says: a status and a body.

    `payload` None means an empty body; bytes are sent as they are, anything else as JSON.
    """

    status: int
    payload: object | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str = _JSON


class Refusal(Exception):
    """A vendor's error answer, raised from inside a handler and sent as it is."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


@dataclass(slots=True)
class Call:
    """One HTTP call at a vendor, read whole.

    Header names are lower case. `path` is the vendor's own, without the sandbox's prefix, and
    `base_url` is the prefix with scheme and host. `query` keeps the last of repeated items.
    `target` is path and query exactly as they were sent, without the sandbox's prefix.
    `kind` is the fault that the handler has to shape its answer by, if any, and `error_code` the
    vendor's own code that it is to show, where the kind is `error`.
    """

    method: str
    path: str
    base_url: str
    headers: Mapping[str, str]
    query: Mapping[str, str]
    match: Mapping[str, str]
    raw: bytes
    now: datetime
    request_id: str
    target: str = ""
    kind: FaultKind | None = None
    error_code: str | None = None
    _body: JsonObject | None = None

    @property
    def link_session_ids(self) -> tuple[str, ...]:
        """The caller's own name for the link session it makes, where it tells (`X-Link-Session-Id`)."""
        told = self.headers.get("x-link-session-id")
        return (told,) if told else ()

    @property
    def body(self) -> JsonObject:
        """The body as a JSON object; empty where it is anything else (see `body_is_readable`)."""
        if self._body is None:
            try:
                value = orjson.loads(self.raw) if self.raw else {}
            except orjson.JSONDecodeError:
                value = {}
            self._body = value if isinstance(value, dict) else {}
        return self._body

    @property
    def body_is_readable(self) -> bool:
        """Whether the body is a JSON object or absent."""
        if not self.raw:
            return True
        try:
            return isinstance(orjson.loads(self.raw), dict)
        except orjson.JSONDecodeError:
            return False

    def part(self, name: str) -> JsonObject:
        """The object under `name` in the body; empty where there is none."""
        value = self.body.get(name)
        return value if isinstance(value, dict) else {}
