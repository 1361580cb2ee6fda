"""The guard against a mixed installation."""

from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest

from actors import folders
from orchestrator.domain import ConfigurationError


def _places(monkeypatch: pytest.MonkeyPatch, places: dict[str, str | None]) -> None:
    def find(name: str) -> ModuleSpec | None:
        place = places[name]
        if place is None:
            return None
        spec = ModuleSpec(name, None, is_package=True)
        spec.submodule_search_locations = [str(Path(place) / name)]
        return spec

    monkeypatch.setattr(folders, "find_spec", find)


def test_this_installation_is_of_one_folder() -> None:
    """Take an installation whose packages lie side by side."""
    assert folders.check_same_folder() is None  # type: ignore[func-returns-value]


def test_mixed_folders_are_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuse packages out of different folders, and say where each was found."""
    _places(
        monkeypatch,
        {"orchestrator": "/a", "actors": "/a", "models": "/b", "sandbox": "/a"},
    )

    with pytest.raises(ConfigurationError, match=r"models in /b"):
        folders.check_same_folder()


def test_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Name the package that is not installed."""
    _places(
        monkeypatch,
        {"orchestrator": "/a", "actors": "/a", "models": None, "sandbox": "/a"},
    )

    with pytest.raises(ConfigurationError, match="'models' is not installed"):
        folders.check_same_folder()
