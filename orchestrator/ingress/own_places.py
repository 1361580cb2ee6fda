"""A start's own folder and ports, so that several systems run side by side on one machine."""

import hashlib
import os
import shutil
import socket
import stat
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from orchestrator.domain import ConfigurationError

__all__ = ["LOOPBACK", "OwnPlaces"]

LOOPBACK: Final = "127.0.0.1"
REPLICA_PORTS: Final = 16
"""So many replicas may live at once, those of a reload and those being replaced included."""
# Under the ports that the system hands out by itself, which might be taken again at any time.
_FIRST_PORT: Final = 20_000
_LAST_PORT: Final = 32_000
_LONGEST_FOLDER: Final = 24
"""Serve adds 70 characters, HAProxy some more for a moment, and a socket's path may have 107."""


@dataclass(frozen=True, slots=True)
class OwnPlaces:
    """What one start has for itself.

    `folder` is for sockets and HAProxy's files, its path short, for this user's eyes alone.
    `fallback_port` is that of Serve's own proxy, which stands in while no replica is up.
    `replica_ports` are the first of the replicas' ports and the one behind the last.
    """

    folder: Path
    fallback_port: int
    replica_ports: tuple[int, int]

    @classmethod
    def find(cls, data_dir: Path) -> Self:
        """Places that nobody uses now; the folder is that of every start out of this data folder.

        Raises:
            ConfigurationError: the folder belongs to somebody else, or no ports are free.

        """
        name = "orc-" + hashlib.sha256(os.fsencode(data_dir)).hexdigest()[:10]
        temporary = tempfile.gettempdir()
        parent = temporary if len(temporary) + len(name) < _LONGEST_FOLDER else "/tmp"  # noqa: S108  short and made private below
        folder = _private_folder(Path(parent) / name)
        run = _free_run(
            REPLICA_PORTS + 1, seed=int(hashlib.sha256(os.fsencode(folder)).hexdigest(), 16)
        )
        return cls(folder, run, (run + 1, run + 1 + REPLICA_PORTS))

    def remove(self) -> None:
        """Take the folder away; quiet where it is gone."""
        shutil.rmtree(self.folder, ignore_errors=True)


def _private_folder(folder: Path) -> Path:
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise ConfigurationError(
            f"{folder} is not a folder of this user's alone: remove it, or choose another "
            "ORCHESTRATOR_DATA_DIR"
        )
    return folder


def _free_run(length: int, *, seed: int) -> int:
    """The first of so many ports in a row on which nobody listens, sought from a place of its own."""
    for first in _places(length, seed):
        if all(_is_free(port) for port in range(first, first + length)):
            return first
    raise ConfigurationError(
        f"no {length} ports in a row are free between {_FIRST_PORT} and {_LAST_PORT}"
    )


def _places(length: int, seed: int) -> Iterator[int]:
    runs = (_LAST_PORT - _FIRST_PORT) // length
    for step in range(runs):
        yield _FIRST_PORT + (seed + step) % runs * length


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True
