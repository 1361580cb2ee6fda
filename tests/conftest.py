"""What holds for every test: no settings of the developer's, and Ray only where it belongs."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NoReturn

import pytest
import structlog

from orchestrator.provider_registry import REGISTRY

TESTS: Final = Path(__file__).parent
WITH_RAY: Final = ("cluster", "e2e", "chaos", "notebooks")
SETTINGS: Final = ("ORCHESTRATOR_", *(f"{spec.env_prefix}_" for spec in REGISTRY.values()))
ABOUT_TESTS: Final = "ORCHESTRATOR_TEST_"


def settings_in_environment() -> list[str]:
    """Names of environment variables that this project reads."""
    return [
        name
        for name in os.environ
        if name.startswith(SETTINGS) and not name.startswith(ABOUT_TESTS)
    ]


def _refuse_ray(*_args: object, **_options: object) -> NoReturn:
    raise RuntimeError(f"ray.init in a test outside of {', '.join(WITH_RAY)}: move the test there")


def pytest_configure() -> None:
    """Forget the developer's settings before anything is imported or started."""
    for name in settings_in_environment():
        del os.environ[name]


@pytest.fixture(autouse=True)
def _own_log() -> Iterator[None]:
    """No log that goes on writing where an earlier test's output went."""
    yield
    structlog.reset_defaults()


@pytest.fixture(autouse=True)
def _alone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """No settings that an earlier test left, and no Ray, except in the folders that are about it."""
    if request.path.is_relative_to(TESTS):
        folder = request.path.relative_to(TESTS).parts[0]
        if folder in WITH_RAY:
            return
    for name in settings_in_environment():
        monkeypatch.delenv(name)
    ray = sys.modules.get("ray")
    if ray is not None:
        monkeypatch.setattr(ray, "init", _refuse_ray)
