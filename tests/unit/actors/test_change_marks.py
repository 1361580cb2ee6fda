"""What has changed in the vault, told by counters in a mapped file."""

from pathlib import Path

import pytest

from actors.change_marks import ChangeMarks
from orchestrator.domain import ConfigurationError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the counters are."""
    return tmp_path / "state" / "vault.marks"


def test_a_change_is_seen_by_whoever_maps_the_file(path: Path) -> None:
    """The mark of what changed is another one, in every process; those of the rest stay."""
    vault, router = ChangeMarks(path), ChangeMarks(path)
    before, other = router.of(("space_1", "conn_1")), router.of(("space_2",))
    vault.changed(("conn_1",))

    assert before != router.of(("space_1", "conn_1"))
    assert other == router.of(("space_2",))


def test_everything_changes_at_once(path: Path) -> None:
    """No mark outlives that anything may have changed."""
    marks = ChangeMarks(path)
    before = [marks.of((f"space_{number}",)) for number in range(50)]
    marks.everything_changed()

    assert all(mark != marks.of((f"space_{number}",)) for number, mark in enumerate(before))


def test_the_total_tells_that_anything_has_changed(path: Path) -> None:
    """It rises with every change of whatever name."""
    marks = ChangeMarks(path)
    totals = [marks.total]
    marks.changed(("a", "b"))
    totals.append(marks.total)
    marks.everything_changed()
    totals.append(marks.total)

    assert [totals[0], totals[0] + 1, totals[0] + 2] == totals


def test_marks_outlive_their_process(path: Path) -> None:
    """Another life of the vault goes on from where the last one was."""
    first = ChangeMarks(path)
    first.changed(("space_1",))
    mark = first.of(("space_1",))
    first.close()

    assert mark == ChangeMarks(path).of(("space_1",))


def test_a_place_that_takes_no_file_is_told(tmp_path: Path) -> None:
    """It says which file, and what to do."""
    (tmp_path / "state").write_text("a file where a folder should be")

    with pytest.raises(ConfigurationError, match=r"vault\.marks cannot be mapped"):
        ChangeMarks(tmp_path / "state" / "vault.marks")
