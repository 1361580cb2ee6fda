"""What is installed: the wheel's content, the public names, the command line."""

import configparser
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from hatchling.builders.wheel import WheelBuilder
from typer.testing import CliRunner

import models
import orchestrator
from orchestrator.cli import app, main

ROOT = Path(__file__).parents[2]
PUBLIC = {
    "CircuitBreaker",
    "ConnectionAttempt",
    "FinancialProvider",
    "Operation",
    "OperationError",
    "OperationResult",
    "Orchestrator",
    "Provider",
    "ProviderHealthStatus",
    "RateLimiter",
}
FAKE_KEYS = {"PLAID_CLIENT_ID": "fake", "PLAID_SECRET": "fake"}
COMMANDS = ["serve", "sandbox", "demo", "doctor", "stats", "explain", "attempts", "train", "models"]


def _python(program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
    )


def test_the_wheel_holds_our_packages_their_data_and_nothing_else(tmp_path: Path) -> None:
    """Four packages with their data files; no tests, no notebooks."""
    (wheel,) = WheelBuilder(str(ROOT)).build(directory=str(tmp_path), versions=["standard"])
    names = zipfile.ZipFile(wheel).namelist()

    assert {name.split("/")[0] for name in names if ".dist-info" not in name} == {
        "actors",
        "models",
        "orchestrator",
        "sandbox",
    }
    assert {
        "orchestrator/py.typed",
        "orchestrator/defaults.toml",
        "orchestrator/catalogue/institutions.csv",
        "sandbox/banks.csv",
        "sandbox/vendors_own_banks.csv",
        "orchestrator/vault/migrations/env.py",
        "orchestrator/vault/migrations/versions/r0001_first_schema.py",
        "orchestrator/vault/migrations/versions/r0002_vendors_reports.py",
    } <= set(names)
    assert [] == [
        name
        for name in names
        if name.endswith(".ipynb") or any(part.startswith("test") for part in name.split("/"))
    ]


def test_the_wheel_installs_the_orchestrator_command(tmp_path: Path) -> None:
    """Its one console script is `orchestrator`, and what it names can be called."""
    (wheel,) = WheelBuilder(str(ROOT)).build(directory=str(tmp_path), versions=["standard"])
    archive = zipfile.ZipFile(wheel)
    (listed,) = [n for n in archive.namelist() if n.endswith(".dist-info/entry_points.txt")]
    scripts = configparser.ConfigParser()
    scripts.read_string(archive.read(listed).decode())

    assert {"orchestrator": "orchestrator.cli:main"} == dict(scripts["console_scripts"])
    assert callable(main)


def test_every_public_name_can_be_imported() -> None:
    """The names of the contract are there, and `__all__` lists just them."""
    assert set(orchestrator.__all__) == PUBLIC
    assert all(getattr(orchestrator, name) is not None for name in PUBLIC)


def test_the_selection_side_gives_its_public_names() -> None:
    """What the contract takes from `models` is there and listed."""
    names = {"SelectionPolicy", "SelectionContext", "AttemptOutcome", "train"}

    assert names <= set(models.__all__)
    assert all(callable(getattr(models, name)) for name in names)


@pytest.mark.parametrize("package", ["orchestrator", "models"])
def test_importing_a_package_loads_nothing_heavy(package: str) -> None:
    """Neither Ray nor pandas, DuckDB or scikit-learn is loaded before it is used."""
    run = _python(
        f"import {package}, sys; "
        "print([m for m in ('ray', 'pandas', 'duckdb', 'sklearn') if m in sys.modules])"
    )

    assert run.stdout.strip() == "[]", run.stderr


@pytest.mark.parametrize(
    "command", ["", *COMMANDS, "config show", "config check", "config serve", "vault reseal"]
)
def test_every_command_explains_itself(command: str) -> None:
    """`--help` of each command exits 0 and says what it does."""
    run = CliRunner().invoke(app, [*command.split(), "--help"])

    assert run.exit_code == 0, run.output
    assert "Usage:" in run.output


def test_a_wrong_option_is_a_usage_error() -> None:
    """An unknown option exits with 2."""
    assert CliRunner().invoke(app, ["serve", "--prot", "1"]).exit_code == 2


@pytest.mark.parametrize(
    ("variable", "value", "says"),
    [
        ("ORCHESTRATOR_CONFIG", "/nowhere/orchestrator.toml", "ORCHESTRATOR_CONFIG"),
        ("ORCHESTRATOR_PORT", "eighty", "ORCHESTRATOR_PORT"),
        ("ORCHESTRATOR_HOST", "0.0.0.0", "ORCHESTRATOR_API_KEYS"),
        ("ORCHESTRATOR_VAULT_KEY", "short", "ORCHESTRATOR_VAULT_KEY"),
        ("ORCHESTRATOR_VAULT_URL", "mysql://me:pa55w0rd@db/v", "ORCHESTRATOR_VAULT_URL"),
        ("ORCHESTRATOR_VAULT_URL", "postgresql://me:pa55w0rd@127.0.0.1:1/v", "cannot be reached"),
        ("PLAID_ENV", "development", "PLAID_ENV"),
        ("PLAID_BASE_URL", "http://plaid.example", "http://plaid.example"),
    ],
)
def test_a_broken_configuration_stops_the_start_with_one_sentence(
    tmp_path: Path, variable: str, value: str, says: str
) -> None:
    """`serve` exits with 1 and one sentence that names what to mend, without a traceback."""
    run = subprocess.run(
        [sys.executable, "-m", "orchestrator", "serve"],
        env={"PATH": "", "ORCHESTRATOR_DATA_DIR": str(tmp_path / "data")}
        | FAKE_KEYS
        | {variable: value},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert run.returncode == 1
    assert says in run.stderr
    assert "pa55w0rd" not in run.stderr
    assert "Traceback" not in run.stderr
