"""An open vault in a database of the test's own."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing

import pytest
from sqlalchemy import URL, event

from orchestrator.vault import VaultStore


@pytest.fixture
def reopen(database: URL) -> Iterator[Callable[[], VaultStore]]:
    """Opens the same database once more, as after a crash: nothing was closed."""
    with ExitStack() as opened:

        def opener() -> VaultStore:
            return opened.enter_context(closing(VaultStore(database)))

        yield opener


@pytest.fixture
def store(reopen: Callable[[], VaultStore]) -> VaultStore:
    """An empty vault."""
    return reopen()


@pytest.fixture
def statements(store: VaultStore) -> Iterator[list[str]]:
    """The statements that the open vault sends to its database."""
    seen: list[str] = []

    def see(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        seen.append(statement)

    engine = store._database._reader
    event.listen(engine, "before_cursor_execute", see)
    yield seen
    event.remove(engine, "before_cursor_execute", see)
