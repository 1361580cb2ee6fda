"""Where the vault is: what may be named, and what is said of what may not."""

import re
from pathlib import Path

import pytest
from pydantic import SecretStr

from orchestrator.domain import ConfigurationError
from orchestrator.vault import is_sqlite, place_of, threads_for, vault_url

SECRET = "pa55w0rd"


def test_without_a_url_the_vault_is_a_file_in_the_data_folder(tmp_path: Path) -> None:
    """SQLite is what there is unless something else is named, whatever the folder is called."""
    folder = tmp_path / "a 100% odd?#folder"
    url = vault_url(folder)

    assert is_sqlite(url)
    assert str(folder / "vault.sqlite") == url.database
    assert threads_for(url) == 1


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg"])
def test_every_way_to_write_a_postgres_url_means_the_driver_that_is_there(
    scheme: str, tmp_path: Path
) -> None:
    """The scheme is made psycopg's; the rest stays, without the newline of a file of secrets."""
    url = vault_url(
        tmp_path, SecretStr(f"{scheme}://me:{SECRET}@db.example:6432/vault?sslmode=require\n")
    )

    assert url.drivername == "postgresql+psycopg"
    assert (url.username, url.password, url.host, url.port, url.database) == (
        "me",
        SECRET,
        "db.example",
        6432,
        "vault",
    )
    assert {"sslmode": "require"} == dict(url.query)
    assert threads_for(url) > 1


def test_a_file_elsewhere_may_be_named(tmp_path: Path) -> None:
    """SQLite may be kept outside of the data folder."""
    url = vault_url(tmp_path, SecretStr("sqlite:////var/lib/vault/v.sqlite"))

    assert is_sqlite(url)
    assert "/var/lib/vault/v.sqlite" == url.database


@pytest.mark.parametrize(
    "text",
    [
        f"me:{SECRET}@db.example/vault",
        f"postgresql:/me:{SECRET}@db.example/vault",
        f"postgresql://me:{SECRET}@db.example:port/vault",
        f"postgresql://me:{SECRET}@db.example",
        f"postgresql+psycopg2://me:{SECRET}@db.example/vault",
        f"postgresql+asyncpg://me:{SECRET}@db.example/vault",
        f"mysql://me:{SECRET}@db.example/vault",
        f"sqlite+aiosqlite:////var/{SECRET}",
        "sqlite://",
        "sqlite:///:memory:",
        f"sqlite:///relative/{SECRET}",
        f"sqlite:////var/v.sqlite?{SECRET}=1",
        f"sqlite://host/{SECRET}",
        f"file:///{SECRET}",
    ],
)
def test_what_is_no_address_of_a_vault_is_refused_unshown(text: str, tmp_path: Path) -> None:
    """One sentence that names the variable and what to write, and nothing of what was given."""
    with pytest.raises(ConfigurationError) as refused:
        vault_url(tmp_path, SecretStr(text))

    assert re.fullmatch(r"ORCHESTRATOR_VAULT_URL [^\n]+: use [^\n]+", str(refused.value))
    assert SECRET not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (f"postgresql://me:{SECRET}@db.example/v", "PostgreSQL at db.example:5432/v"),
        (f"postgresql://me:{SECRET}@db.example:6432/v", "PostgreSQL at db.example:6432/v"),
        (f"postgresql:///v?host=/run&password={SECRET}", "PostgreSQL at v"),
        ("sqlite:////var/v.sqlite", "SQLite at /var/v.sqlite"),
    ],
)
def test_a_place_is_told_without_who_enters_it(text: str, place: str, tmp_path: Path) -> None:
    """People see host, port and database; never the user, the password or an option."""
    url = vault_url(tmp_path, SecretStr(text))

    assert place == place_of(url)
    assert SECRET not in repr(url.set(query={}))
