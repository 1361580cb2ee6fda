"""A file of what was linked: one JSON line a change, so that noting one costs the same for ever."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import orjson

__all__ = ["Journal", "WrongSeed"]

_FORMAT: Final = 1


class WrongSeed(ValueError):
    """The file belongs to a sandbox of another seed, whose ids would not fit this one's."""


class Journal:
    """Appends changes to a file and reads them back.

    A line that was cut short by a crash is passed over. The file is replaced atomically when it is
    compacted, at each start. It holds the sandbox's own fake credentials and nothing real; even so
    only its owner may read it.
    """

    def __init__(self, path: Path, *, seed: int) -> None:
        self._path = path
        self._seed = seed
        self._descriptor: int | None = None

    def load(self) -> list[dict[str, object]]:
        """All changes noted so far, in order.

        Raises:
            WrongSeed: the file was written under another seed.

        """
        try:
            lines = self._path.read_bytes().splitlines()
        except FileNotFoundError:
            return []
        rows: list[dict[str, object]] = []
        for line in lines:
            try:
                row = orjson.loads(line)
            except orjson.JSONDecodeError:
                continue
            if isinstance(row, dict):
                rows.append(row)
        if rows and rows[0].get("seed") != self._seed:
            raise WrongSeed(f"{self._path} was not written with seed {self._seed}")
        return rows[1:]

    def compact(self, rows: Iterable[dict[str, object]]) -> None:
        """Replace the file by these rows."""
        self.close()
        self._path.parent.mkdir(parents=True, exist_ok=True)
        beside = self._path.with_name(f"{self._path.name}.new")
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            for row in (self._head(), *rows):
                file.write(orjson.dumps(row) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        beside.replace(self._path)

    def _head(self) -> dict[str, object]:
        return {"kind": "sandbox", "format": _FORMAT, "seed": self._seed}

    def append(self, row: dict[str, object]) -> None:
        """Note one change; it is with the operating system when this returns."""
        if self._descriptor is None:
            if not self._path.exists():
                self.compact(())
            self._descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND)
        os.write(self._descriptor, orjson.dumps(row) + b"\n")

    def close(self) -> None:
        """Let go of the file."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
