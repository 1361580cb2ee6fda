"""What Ray's worker processes do before anything else."""

import subprocess
import sys

import pytest

from orchestrator.worker_start import HOOK

PROGRAM = """
import sys
from {module} import {function}
{function}()
{function}()
import {first}
assert "pandas" not in sys.modules, "{first} has brought it"
import pandas
pandas.DataFrame({{"a": [1]}})
print(len(sys.meta_path))
"""


@pytest.mark.parametrize("first", ["json", "ray.serve"])
def test_pandas_is_kept_from_serve_and_from_nobody_else(first: str) -> None:
    """Importing Serve does not bring pandas, and whoever asks for pandas itself has it."""
    module, _, function = HOOK.rpartition(".")
    program = PROGRAM.format(module=module, function=function, first=first)

    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert 0 == run.returncode, run.stderr
