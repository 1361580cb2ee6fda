"""Finicity's error bodies and codes.

Source: Finicity's OpenAPI 1.42.0 (ErrorMessage, ErrorWrapper) and its pages on errors.
"""

from collections.abc import Mapping
from typing import Final

from .faults import FaultKind
from .wire import Answer, JsonObject, Refusal

__all__ = [
    "AGGREGATION_IN_DATA",
    "ERRORS",
    "app_key_refused",
    "error",
    "error_of",
    "fault_refusal",
    "no_such_path",
    "refusal",
]

_AGGREGATION_STATUS: Final = 500
"""Troubles of an aggregation are HTTP 500, whoever's they are."""


def _rows(status: int, codes: str) -> dict[str, int]:
    return dict.fromkeys(codes.split(), status)


AGGREGATION_IN_DATA: Final = frozenset(
    {"103", "108", "109", "185", "187", "931", "936", "945", "946", "947", "948", "169"}
    | {"400", "403", "913", "914"}
)
"""Codes of a login or account that show in its accounts, while what is stored is still served."""

ERRORS: Final[Mapping[str, int]] = {
    **_rows(401, "10001 10021 10022 10023 10024 10026 10027"),
    **_rows(403, "24302 10405 10406"),
    **_rows(400, "10005 10010 10020 10025 10100 14020 14023 41002 41003 41004 981"),
    **_rows(406, "20000"),
    **_rows(404, "14001 14003 14006 14016 38003 38007 24553"),
    **_rows(409, "110002 110039 18001 1003"),
    **_rows(408, "331"),
    **_rows(202, "44002"),
    **_rows(429, "3300001"),
    **_rows(_AGGREGATION_STATUS, "325 5006 977 976 " + " ".join(sorted(AGGREGATION_IN_DATA))),
    **_rows(_AGGREGATION_STATUS, "900 901 903 904 905 906 907 910 911 915 916"),
    **_rows(_AGGREGATION_STATUS, "920 921 922 923 924 925 926 927 928 929"),
    **_rows(_AGGREGATION_STATUS, "171 179 194 197 204 417 500 525 11000"),
    **_rows(_AGGREGATION_STATUS, "990 991 992 993 994 995 996 997 998"),
    "HTTP_401": 401,
    "HTTP_408": 408,
    "HTTP_429": 429,
    "HTTP_500": 500,
    "HTTP_503": 503,
}
"""Every code → the HTTP status with which it comes; `HTTP_` and a status is that status alone."""

_WRAPPED: Final = frozenset({"14003", "11000", "10020"})
"""Codes that come in the newer of both bodies."""


def error(status: int, code: str, message: str) -> Answer:
    """An error answer; the code is a text of our calls' faults, a number of aggregations'."""
    if code in _WRAPPED:
        row: JsonObject = {
            "Source": "Open Finance",
            "ReasonCode": code,
            "Description": message,
            "Recoverable": False,
        }
        return Answer(status, {"Errors": {"Error": [row]}})
    told: object = int(code) if status == _AGGREGATION_STATUS else code
    return Answer(status, {"code": told, "message": message})


def refusal(status: int, code: str, message: str) -> Refusal:
    """An error answer to raise."""
    return Refusal(error(status, code, message))


def app_key_refused() -> Answer:
    """The answer to a key that is none: the one that is no JSON."""
    return Answer(401, b"Invalid (Finicity-App-Key)", content_type="text/plain")


def error_of(code: str) -> Answer:
    """The answer with that code of `ERRORS`.

    Raises:
        KeyError: there is no such code.

    """
    status = ERRORS[code]
    if code == "HTTP_401":
        return app_key_refused()
    if code.startswith("HTTP_"):
        return Answer(status, {"message": "The service cannot answer."})
    return error(status, code, "As ordered.")


def no_such_path() -> Answer:
    """The answer to a path or method that there is not."""
    return error(404, "14001", "Resource not found.")


_FAULTS: Final[Mapping[FaultKind, Answer]] = {
    FaultKind.BAD_KEYS: app_key_refused(),
    FaultKind.DOWN: error_of("HTTP_503"),
    FaultKind.RATE_LIMIT: error(429, "3300001", "Too many requests."),
    FaultKind.VALIDATION: error(400, "14020", "Bad request."),
    FaultKind.INSTITUTION_DOWN: error(500, "910", "The institution cannot be reached."),
    FaultKind.AUTH: error(500, "103", "The institution refuses the credentials."),
}
_WHILE_AUTHENTICATING: Final = dict.fromkeys(
    (FaultKind.BAD_KEYS, FaultKind.AUTH), error(401, "10001", "Invalid credentials")
)


def fault_refusal(kind: FaultKind, *, authenticating: bool) -> Answer | None:
    """Finicity's own answer to each kind of trouble."""
    if authenticating and kind in _WHILE_AUTHENTICATING:
        return _WHILE_AUTHENTICATING[kind]
    return _FAULTS.get(kind)
