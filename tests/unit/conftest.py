"""Databases for the vault: every test that asks for one runs on SQLite and on PostgreSQL."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlalchemy import URL

from orchestrator.vault import VaultStore, vault_url
from tests.support.postgres import PostgresServer, postgres_or_skip

BACKENDS = ("sqlite", "postgresql")


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL server, started once for all tests of this process."""
    with postgres_or_skip() as server:
        yield server


@pytest.fixture(scope="session")
def vault_template(postgres: PostgresServer) -> str:
    """A PostgreSQL database with an empty vault in it, to be copied."""
    name = postgres.new_database()
    with closing(VaultStore(vault_url(Path(), SecretStr(postgres.url(name))))):
        return name


@pytest.fixture(params=BACKENDS)
def empty_database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[URL]:
    """A database with nothing in it, of either kind."""
    if request.param == "sqlite":
        yield vault_url(tmp_path)
        return
    server: PostgresServer = request.getfixturevalue("postgres")
    name = server.new_database()
    yield vault_url(tmp_path, SecretStr(server.url(name)))
    server.drop(name)


@pytest.fixture(params=BACKENDS)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[URL]:
    """A database for a vault, of either kind."""
    if request.param == "sqlite":
        yield vault_url(tmp_path)
        return
    server: PostgresServer = request.getfixturevalue("postgres")
    name = server.new_database(request.getfixturevalue("vault_template"))
    yield vault_url(tmp_path, SecretStr(server.url(name)))
    server.drop(name)
