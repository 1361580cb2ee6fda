"""A sandbox that outlives the systems that are killed over it."""

from collections.abc import Iterator

import pytest

from orchestrator.sandbox_process import SandboxProcess
from tests.support.serving import free_port


@pytest.fixture(scope="session")
def sandbox_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The sandbox's base URL."""
    sandbox = SandboxProcess(free_port(), 7, tmp_path_factory.mktemp("sandbox"))
    try:
        sandbox.wait_ready()
        yield sandbox.url
    finally:
        sandbox.stop()
