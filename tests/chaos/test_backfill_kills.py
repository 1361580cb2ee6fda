"""A backfill goes on through kills of everything around it, and of itself."""

from pathlib import Path

import pytest

from tests.chaos.backfill_kills import CONFIG, run
from tests.support.serving import serving

pytestmark = pytest.mark.ray

ITEMS = 600
KILLS = 8


def test_killed_notebooks_actors_providers_and_logs_cost_a_backfill_nothing(
    tmp_path: Path, sandbox_url: str
) -> None:
    """Random kills over a job: no item lost, none done twice, no transaction lost or doubled."""
    with serving(tmp_path, CONFIG, sandbox_url=sandbox_url) as system:
        outcome = run(system, ITEMS, KILLS, longest_s=240.0)

    assert outcome.is_whole, outcome
    assert sum(outcome.kills.values()) > 0
