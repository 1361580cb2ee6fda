"""The ways in which a login at MX's test bank goes, and its questions to the user.

The password chooses. Source: docs.mx.com, testing with MX Bank; MX's OpenAPI (ChallengeResponse).
"""

from typing import Final

from .identifiers import guid
from .wire import JsonObject

__all__ = ["TEST_USER", "answer_ends_as", "challenges_json", "login_ends_as"]

TEST_USER: Final = "mxuser"
"""The one user name that MX's test bank knows."""

_CORRECT: Final = "correct"
_QUESTIONS: Final = {
    "challenge": ("TEXT", "What city were you born in?"),
    "options": ("OPTIONS", "Which of these is correct?"),
    "image": ("IMAGE_DATA", "Who is this guy?"),
}
_FAILURES: Final = {
    "UNAUTHORIZED": "DENIED",
    "INVALID": "DENIED",
    "DISABLED": "DENIED",
    "LOCKED": "LOCKED",
    "BAD_REQUEST": "FAILED",
    "SERVER_ERROR": "FAILED",
    "UNAVAILABLE": "FAILED",
}
# One transparent pixel.
_IMAGE: Final = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwAD"
    "hgGAWjR9awAAAABJRU5ErkJggg=="
)


def login_ends_as(password: str) -> str:
    """The connection status with which a job ends that logs in with this password."""
    if password in _QUESTIONS:
        return "CHALLENGED"
    return _FAILURES.get(password, "CONNECTED")


def answer_ends_as(answers: list[str]) -> str:
    """The connection status with which a job ends that goes on after these answers."""
    failure = next((_FAILURES[answer] for answer in answers if answer in _FAILURES), None)
    return failure or ("CONNECTED" if answers == [_CORRECT] else "REJECTED")


def challenges_json(member_guid: str, scenario: str) -> list[JsonObject]:
    """What the bank asks of the user; a plain question where the password asked for none."""
    kind, label = _QUESTIONS.get(scenario, _QUESTIONS["challenge"])
    row: JsonObject = {
        "field_name": label,
        "guid": guid("CRD", member_guid, kind),
        "label": label,
        "type": kind,
    }
    if kind == "OPTIONS":
        row["options"] = [
            {"guid": guid("CRD", member_guid, kind, value), "label": value, "value": value}
            for value in (_CORRECT, "another", "none of these")
        ]
    if kind == "IMAGE_DATA":
        row["image_data"] = _IMAGE
    return [row]
