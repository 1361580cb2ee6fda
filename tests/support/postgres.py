"""A PostgreSQL server of the tests' own, without TCP, and databases on it that cost little."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import count
from pathlib import Path
from typing import Any, Final

import psycopg
import pytest

__all__ = ["PostgresServer", "postgres_or_skip", "running_postgres"]

_START_TIMEOUT_S: Final = 60.0
_STOP_TIMEOUT_S: Final = 20.0
_INSTALLED: Final = Path("/usr/lib/postgresql")
_REQUIRED: Final = "ORCHESTRATOR_TEST_POSTGRES"
# What is lost at a power cut is worth nothing here.
_SETTINGS: Final = {
    "listen_addresses": "",
    "fsync": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
    "shared_buffers": "16MB",
    "max_connections": "60",
    "lc_messages": "C",
}
_CLUSTER: Final = ("--auth=trust", "--encoding=UTF8", "--locale=C")
# A user of that name may not come in.
_WHO_MAY_ENTER: Final = "local all stranger reject\nlocal all all trust\n"


class PostgresServer:
    """A running server. Its user `vault` may do everything.

    Args:
        folder: its socket's.

    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._names = (f"vault_{number}" for number in count())
        self._admin = psycopg.connect(self.url("postgres"), autocommit=True)

    def url(self, database: str, user: str = "vault") -> str:
        """A database's URL, as it stands in the environment."""
        return f"postgresql://{user}:no-secret@/{database}?host={self._folder}"

    def run(self, statement: str) -> list[tuple[Any, ...]]:
        """Run a statement on the server, outside of a transaction; its rows."""
        cursor = self._admin.execute(statement.encode())
        return [] if cursor.description is None else cursor.fetchall()

    def new_database(self, template: str = "template0") -> str:
        """A new database, a copy of the template; its name."""
        name = next(self._names)
        self.run(f"create database {name} template {template}")
        return name

    def drop(self, database: str) -> None:
        """Drop a database, whoever is connected to it."""
        self.run(f"drop database {database} with (force)")

    def close(self) -> None:
        """Let our own connection go."""
        self._admin.close()

    def end_sessions(self, database: str) -> None:
        """Cut everybody's connections to a database."""
        self.run(
            f"select pg_terminate_backend(pid, 5000) from pg_stat_activity"
            f" where datname = '{database}' and pid <> pg_backend_pid()"
        )


def _binaries() -> Path | None:
    """Where the server's programs are, None where it is not installed."""
    found = sorted(_INSTALLED.glob("*/bin/postgres"), key=lambda path: float(path.parts[-3]))
    on_path = shutil.which("postgres")
    found += [Path(on_path)] if on_path else []
    return found[-1].parent if found else None


def _account() -> dict[str, Any]:
    """As whom it runs, since it refuses to run as root."""
    if os.geteuid() != 0:
        return {}
    for name in ("postgres", "nobody"):
        try:
            account = pwd.getpwnam(name)
        except KeyError:
            continue
        return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
    raise RuntimeError("there is no unprivileged user to run PostgreSQL as")


def _ending_with_us() -> list[str]:
    """In front of the server's command: it ends when this process does, however that happens."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "QUIT"] if setpriv else []


@contextmanager
def running_postgres(binaries: Path) -> Iterator[PostgresServer]:
    """Start a server in a folder of its own, and leave nothing of it behind."""
    # A socket's path is short, and its folder is one that the server's user can reach.
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    account = _account()
    if account:
        os.chown(folder, account["user"], account["group"])
    data = folder / "data"
    places = {"env": {"LC_ALL": "C"}, "cwd": folder}
    try:
        subprocess.run(
            [binaries / "initdb", "-D", data, "-U", "vault", "--no-sync", *_CLUSTER],
            check=True,
            capture_output=True,
            timeout=_START_TIMEOUT_S,
            **account,
            **places,
        )
        (data / "pg_hba.conf").write_text(_WHO_MAY_ENTER)
        options = [f"--{name}={value}" for name, value in _SETTINGS.items()]
        process = subprocess.Popen(
            [*_ending_with_us(), binaries / "postgres", "-D", data, "-k", folder, *options],
            stderr=subprocess.PIPE,
            text=True,
            **account,
            **places,
        )
        with process:
            try:
                _await_ready(process)
                with closing(PostgresServer(folder)) as server:
                    yield server
            finally:
                _stop(process)
    finally:
        shutil.rmtree(folder)


def _await_ready(process: subprocess.Popen[str]) -> None:
    ready = threading.Event()
    lines: list[str] = []

    def listen() -> None:
        assert process.stderr is not None
        for line in process.stderr:
            lines.append(line)
            if "ready to accept connections" in line:
                ready.set()
        ready.set()

    threading.Thread(target=listen, daemon=True).start()
    assert ready.wait(_START_TIMEOUT_S), lines
    assert process.poll() is None, lines


def _stop(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGQUIT)
    try:
        process.wait(_STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(_STOP_TIMEOUT_S)


@contextmanager
def postgres_or_skip() -> Iterator[PostgresServer]:
    """A running server; where none is installed the test is skipped, or fails if it is required."""
    binaries = _binaries()
    if binaries is None:
        missing = "PostgreSQL is not installed (Debian: apt-get install postgresql)"
        if os.environ.get(_REQUIRED) == "required":
            pytest.fail(f"{missing}, and {_REQUIRED}=required")
        pytest.skip(missing)
    with running_postgres(binaries) as server:
        yield server
