"""Who may call."""

import pytest

from orchestrator.access import Access
from orchestrator.domain import ConfigurationError, ErrorType, RequestRefused

OPEN = Access((), ())
KEYED = Access(("plain", "bound:space_1|space_2"), ("admin",))


def _refusal(access: Access, headers: dict[str, str], *, admin: bool = False) -> ErrorType:
    with pytest.raises(RequestRefused) as caught:
        access.caller(headers, admin=admin)
    return caught.value.error.type


def _bearer(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}


@pytest.mark.parametrize(
    "host",
    ["localhost", "localhost:8000", "127.0.0.1:8000", "127.9.9.9", "[::1]:8000", "LOCALHOST"],
)
def test_loopback_names_may_call_without_keys(host: str) -> None:
    """Take every loopback name, in the role of an admin, while no keys are set."""
    caller = OPEN.caller({"host": host}, admin=True)

    assert (True, "", None) == (caller.is_admin, caller.caller_id, caller.spaces)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"host": ""},
        {"host": "example.com"},
        {"host": "10.0.0.1"},
        {"host": "0.0.0.0"},
        {"host": "localhost.example.com"},
        {"host": "["},
        {"host": "localhost", "origin": "https://example.com"},
        {"host": "localhost", "origin": "null"},
        {"host": "localhost", "origin": ""},
        {"host": "localhost", "origin": "http://["},
    ],
)
def test_foreign_names_may_not_call_without_keys(headers: dict[str, str]) -> None:
    """Refuse a Host or an Origin that is not this machine's, however it is written."""
    assert ErrorType.FORBIDDEN is _refusal(OPEN, headers)


@pytest.mark.parametrize(
    "headers",
    [{}, {"authorization": "plain"}, {"authorization": "Basic plain"}, _bearer(""), _bearer("no")],
)
def test_unknown_keys_are_unauthorized(headers: dict[str, str]) -> None:
    """Refuse a missing key, another scheme and an unknown key alike."""
    assert ErrorType.UNAUTHORIZED is _refusal(KEYED, headers)
    assert ErrorType.UNAUTHORIZED is _refusal(KEYED, headers, admin=True)


def test_scheme_is_taken_in_any_case() -> None:
    """Read the scheme's name without regard to case, and the key exactly."""
    assert KEYED.caller({"authorization": "bearer plain"}, admin=False).spaces is None
    assert ErrorType.UNAUTHORIZED is _refusal(KEYED, _bearer("PLAIN"))


def test_plain_key_may_not_administrate() -> None:
    """Forbid the admin's paths to any other key."""
    assert ErrorType.FORBIDDEN is _refusal(KEYED, _bearer("plain"), admin=True)
    assert ErrorType.FORBIDDEN is _refusal(KEYED, _bearer("bound"), admin=True)


def test_admin_key_may_do_both() -> None:
    """Take an admin key everywhere."""
    assert KEYED.caller(_bearer("admin"), admin=True).is_admin
    assert KEYED.caller(_bearer("admin"), admin=False).is_admin


def test_bound_key_sees_its_spaces() -> None:
    """Bind a key to the spaces that are named behind it."""
    caller = KEYED.caller(_bearer("bound"), admin=False)

    assert frozenset({"space_1", "space_2"}) == caller.spaces
    assert [True, False] == [caller.may_see(space) for space in ("space_1", "space_3")]
    assert KEYED.caller(_bearer("plain"), admin=False).may_see("space_3")


def test_callers_are_told_apart_without_their_keys() -> None:
    """Give each key an id of its own that does not show it."""
    ids = [KEYED.caller(_bearer(key), admin=False).caller_id for key in ("plain", "bound", "admin")]

    assert 3 == len(set(ids))
    assert not any(key in "".join(ids) for key in ("plain", "bound", "admin"))


def test_key_in_both_lists_is_an_admins() -> None:
    """Let a key that is set as both kinds do what an admin's may."""
    access = Access(("both:space_1",), ("both",))

    assert access.caller(_bearer("both"), admin=True).is_admin


@pytest.mark.parametrize("text", ["", ":space_1", "key:", "key:|"])
def test_half_written_keys_are_refused(text: str) -> None:
    """Refuse a key without a text, or with a binding to nothing."""
    with pytest.raises(ConfigurationError, match="ORCHESTRATOR_API_KEYS"):
        Access((text,), ())


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "example.com", ""])
def test_nobody_listens_beyond_loopback_without_keys(host: str) -> None:
    """Refuse to listen on any other address while no keys are set."""
    with pytest.raises(ConfigurationError, match="without authentication"):
        OPEN.check_bind(host)


@pytest.mark.parametrize(
    ("access", "host"),
    [(OPEN, "127.0.0.1"), (OPEN, "localhost"), (OPEN, "::1"), (KEYED, "0.0.0.0")],
)
def test_listening_is_allowed(access: Access, host: str) -> None:
    """Listen on loopback, and with keys anywhere."""
    assert access.check_bind(host) is None  # type: ignore[func-returns-value]
