"""What an installation's processes derive from its settings: its address in the world."""

import pytest

from actors.installation import keys_of, public_url, webhook_url
from actors.preflight import check_installation
from orchestrator.domain import ConfigurationError
from orchestrator.providers.registry import REGISTRY
from orchestrator.settings import load_settings


@pytest.mark.parametrize(
    ("told", "url"),
    [
        ("https://bank-data.example.com", "https://bank-data.example.com/v1/webhooks/mx"),
        ("https://example.com:8443/base/", "https://example.com:8443/base/v1/webhooks/mx"),
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000/v1/webhooks/mx"),
        ("http://[::1]:8000", "http://[::1]:8000/v1/webhooks/mx"),
        ("http://localhost:8000/", "http://localhost:8000/v1/webhooks/mx"),
    ],
)
def test_vendors_report_below_the_public_address(
    monkeypatch: pytest.MonkeyPatch, told: str, url: str
) -> None:
    """Tell a vendor an address of its own below the public one."""
    monkeypatch.setenv("ORCHESTRATOR_PUBLIC_URL", told)

    assert url == webhook_url(load_settings(), "mx")


def test_nobody_is_told_an_address_that_there_is_not() -> None:
    """Name no address while there is no public one."""
    assert webhook_url(load_settings(), "mx") is None
    assert public_url(load_settings()) is None


@pytest.mark.parametrize(
    "told",
    [
        "http://bank-data.example.com",
        "bank-data.example.com",
        "ftp://bank-data.example.com",
        "https://",
        "https:///path",
        "https://user:password@example.com",
        "https://example.com/?query=1",
        "https://example.com/#part",
        "https://[::1",
        "http://127.0.0.1.example.com",
        "file:///etc/passwd",
    ],
)
def test_unsafe_address_is_refused_before_anything_starts(
    monkeypatch: pytest.MonkeyPatch, told: str
) -> None:
    """Refuse an address that is no https address, and say what to set."""
    monkeypatch.setenv("ORCHESTRATOR_PUBLIC_URL", told)
    with pytest.raises(ConfigurationError, match="ORCHESTRATOR_PUBLIC_URL") as refused:
        check_installation(load_settings(), http=True)

    assert "password" not in str(refused.value)


def test_agreed_values_are_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read the value agreed with a vendor for its webhooks, and show it to nobody."""
    monkeypatch.setenv("MX_WEBHOOK_AUTH", "Basic agreed-value\n")
    monkeypatch.setenv("BELVO_WEBHOOK_AUTH", " ")
    settings = load_settings()
    mx, belvo = (keys_of(settings, REGISTRY[name]) for name in ("mx", "belvo"))

    assert mx.webhook_auth is not None
    assert "Basic agreed-value" == mx.webhook_auth.get_secret_value()
    assert "agreed-value" not in repr(mx)
    assert belvo.webhook_auth is None
