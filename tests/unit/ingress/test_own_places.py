"""A start's own folder and ports."""

import socket
from pathlib import Path

import pytest

from orchestrator.domain import ConfigurationError
from orchestrator.ingress import LOOPBACK, OwnPlaces

LONGEST_SOCKET = 107
SERVE_ADDS = len("/") + 56 + len("/admin.sock")
HAPROXY_ADDS = len(".4194304.tmp")


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A temporary folder whose path is too long for sockets, as on some systems it is."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


def test_two_data_folders_have_nothing_in_common(tmp_path: Path) -> None:
    """Two systems on one machine get folders and ports of their own."""
    one, other = OwnPlaces.find(tmp_path / "one"), OwnPlaces.find(tmp_path / "other")

    assert one.folder != other.folder
    assert set(range(*one.replica_ports)).isdisjoint(range(*other.replica_ports))
    assert one.fallback_port != other.fallback_port
    one.remove()
    other.remove()
    assert not one.folder.exists()


def test_the_folder_leaves_room_for_sockets_and_is_private(tmp_path: Path) -> None:
    """However long the data folder's path, a socket's fits, and nobody else may look inside."""
    places = OwnPlaces.find(tmp_path / ("long" * 50))

    assert len(str(places.folder)) + SERVE_ADDS + HAPROXY_ADDS <= LONGEST_SOCKET
    assert 0o700 == places.folder.stat().st_mode & 0o777
    places.remove()


def test_a_folder_that_others_may_open_is_refused(tmp_path: Path) -> None:
    """Somebody else may have made a folder of that name to look into it, or a link to another."""
    places = OwnPlaces.find(tmp_path)
    places.folder.chmod(0o755)

    with pytest.raises(ConfigurationError, match="this user's alone"):
        OwnPlaces.find(tmp_path)
    places.remove()
    places.folder.symlink_to(tmp_path)
    with pytest.raises(ConfigurationError, match="this user's alone"):
        OwnPlaces.find(tmp_path)
    places.folder.unlink()


def test_ports_in_use_are_passed_over(tmp_path: Path) -> None:
    """A start takes the next ports in a row where one of its first choice is taken."""
    before = OwnPlaces.find(tmp_path)
    with socket.socket() as taken:
        taken.bind((LOOPBACK, before.replica_ports[0]))
        after = OwnPlaces.find(tmp_path)

    assert before.replica_ports != after.replica_ports
    assert before.folder == after.folder
    after.remove()
