"""Where the vault's database is: a file in the data folder, or what `ORCHESTRATOR_VAULT_URL` names.

A URL may hold a password. SQLAlchemy's `URL` hides it in its repr; errors here show no part of it
but the scheme, and `place_of` tells a place without user and password.
"""

from pathlib import Path
from typing import Final

from pydantic import SecretStr
from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from orchestrator.domain import ConfigurationError

__all__ = ["VAULT_FILE", "is_sqlite", "place_of", "vault_url"]

VAULT_FILE: Final = "vault.sqlite"
_POSTGRES: Final = ("postgresql", "postgres", "postgresql+psycopg")
_SQLITE: Final = "sqlite"
_FORMS: Final = (
    "use postgresql://USER:PASSWORD@HOST:PORT/DATABASE, or sqlite:////ABSOLUTE/PATH for a file"
)


def vault_url(data_dir: Path, given: SecretStr | None = None) -> URL:
    """The database's URL, with the driver that this package ships.

    Args:
        data_dir: holds the file when nothing is given.
        given: `ORCHESTRATOR_VAULT_URL`.

    Raises:
        ConfigurationError: it is no URL, or one of a database that is not supported.

    """
    if given is None:
        return URL.create(_SQLITE, database=str(data_dir / VAULT_FILE))
    try:
        url = make_url(given.get_secret_value().strip())
    except (ArgumentError, ValueError):
        raise ConfigurationError(f"ORCHESTRATOR_VAULT_URL is not a URL: {_FORMS}") from None
    if url.drivername in _POSTGRES:
        return _checked_postgres(url).set(drivername="postgresql+psycopg")
    if url.drivername == _SQLITE:
        return _checked_sqlite(url)
    raise ConfigurationError(
        f"ORCHESTRATOR_VAULT_URL has the scheme {url.drivername!r}, which is not supported: {_FORMS}"
    )


def is_sqlite(url: URL) -> bool:
    """Whether it is a file that this machine alone can reach."""
    return url.get_backend_name() == _SQLITE


def place_of(url: URL) -> str:
    """Where the database is, for people: no user, no password, no options."""
    if is_sqlite(url):
        return f"SQLite at {url.database}"
    host = "" if url.host is None else f"{url.host}:{url.port or 5432}/"
    return f"PostgreSQL at {host}{url.database}"


def _checked_postgres(url: URL) -> URL:
    if not url.database:
        raise ConfigurationError(f"ORCHESTRATOR_VAULT_URL names no database: {_FORMS}")
    return url


def _checked_sqlite(url: URL) -> URL:
    # Relative to what? Every process has a working folder of its own.
    if url.host is not None or url.query or not Path(url.database or "").is_absolute():
        raise ConfigurationError(
            "ORCHESTRATOR_VAULT_URL names no SQLite file by its absolute path: "
            "use sqlite:////ABSOLUTE/PATH without options"
        )
    return url
