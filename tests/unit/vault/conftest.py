"""An open vault in a folder of the test's own."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from orchestrator.vault import VaultStore, vault_url


@pytest.fixture
def reopen(tmp_path: Path) -> Iterator[Callable[[], VaultStore]]:
    """Opens the same database once more, as after a crash: nothing was closed."""
    with ExitStack() as opened:

        def opener() -> VaultStore:
            return opened.enter_context(closing(VaultStore(vault_url(tmp_path))))

        yield opener


@pytest.fixture
def store(reopen: Callable[[], VaultStore]) -> VaultStore:
    """An empty vault."""
    return reopen()
