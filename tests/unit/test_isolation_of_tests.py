"""The guards around every test do guard."""

import os
import subprocess
import sys
from pathlib import Path

from orchestrator.provider_registry import REGISTRY

TESTS = Path(__file__).parent.parent

INNER = """
import os

import pytest
import ray


def test_ray_is_refused():
    with pytest.raises(RuntimeError, match="outside of"):
        ray.init(num_cpus=1)


def test_settings_are_gone():
    assert not [name for name in os.environ if name.startswith(("PLAID_", "ORCHESTRATOR_"))]
    os.environ["MX_API_KEY"] = "left behind"


def test_settings_left_behind_are_gone():
    assert "MX_API_KEY" not in os.environ
"""


def test_tests_run_without_ray_and_without_the_developers_settings(tmp_path: Path) -> None:
    """In a pytest of its own: `ray.init` raises, and no setting of this project is in sight."""
    (tmp_path / "ray.py").write_text("def init(**options):\n    return options\n")
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    inner = tmp_path / "test_inner.py"
    inner.write_text(INNER)
    environ = {
        **{n: v for n, v in os.environ.items() if not n.startswith("ORCHESTRATOR_TEST_")},
        "PYTHONPATH": os.pathsep.join((str(tmp_path), str(TESTS), str(TESTS.parent))),
        "PLAID_SECRET": "of the developer",
        "ORCHESTRATOR_DATA_DIR": "of the developer",
    }
    options = ["-q", "-p", "conftest", "-p", "no:cacheprovider", "-c", str(tmp_path / "pytest.ini")]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, str(inner)],
        env=environ,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 0, done.stdout
    assert "3 passed" in done.stdout


def test_no_setting_of_the_developers_reaches_a_test() -> None:
    """Nothing in the environment begins like a setting of this project."""
    prefixes = ("ORCHESTRATOR_", *(f"{spec.env_prefix}_" for spec in REGISTRY.values()))
    ours = [name for name in os.environ if name.startswith(prefixes)]

    assert [] == [name for name in ours if not name.startswith("ORCHESTRATOR_TEST_")]
