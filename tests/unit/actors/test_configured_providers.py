"""Which providers an installation has, and what the doctor says of those it has not."""

import pytest

from actors.installation import configured_providers
from orchestrator.cli.doctor import findings
from orchestrator.settings import load_settings

ADDRESS = "http://127.0.0.1:8200/bitso"
BELVO = {"BELVO_SECRET_ID": "fake", "BELVO_SECRET_PASSWORD": "fake"}


@pytest.mark.parametrize(
    ("environment", "configured"),
    [
        ({}, ()),
        ({"BITSO_BASE_URL": ADDRESS}, ("bitso",)),
        ({"BITSO_ENV": "production"}, ()),
        ({"BELVO_SECRET_ID": "half"}, ()),
        (BELVO, ("belvo", "bitso")),
        ({**BELVO, "BITSO_BASE_URL": ADDRESS}, ("belvo", "bitso")),
    ],
)
def test_a_provider_without_keys_of_ours_comes_with_its_address_or_with_others(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], configured: tuple[str, ...]
) -> None:
    """Bitso's users bring their own keys; alone it would keep a bare start from the sandbox."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    assert configured == configured_providers(load_settings())


def test_the_doctor_says_what_brings_bitso_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is missing where nothing is set, and its address is looked at where it is in use."""
    asked: list[str] = []

    def reach(url: str) -> bool:
        asked.append(url)
        return True

    bare = [finding for finding in findings(reach) if finding.what.startswith("bitso")]
    monkeypatch.setenv("BITSO_BASE_URL", ADDRESS)
    addressed = [finding for finding in findings(reach) if finding.what.startswith("bitso")]

    assert [None, True] == [finding.ok for finding in (*bare, *addressed)]
    assert "BITSO_BASE_URL" in bare[0].what
    assert [ADDRESS] == asked
